import type { Delivery } from "@halyard/core/spi";
import type { Entry } from "./entry.ts";
import type { Group } from "./group.ts";
import type { Live } from "./live.ts";

/** What stands outside the hub for a consumer. The hub only carries it; the driver calls it, after the hub has finished. */
export interface ConsumerClient {
  /** The pending `receive` has something. */
  ready(deliveries: readonly Delivery[]): void;
  /** A live buffer was full: so many were dropped, oldest first. */
  gap(count: number): void;
  /** The group is gone. */
  removed(): void;
}

/** One subscription as the hub sees it: how much it may hold, what it holds, and whether it waits for more. */
export class Consumer {
  readonly client: ConsumerClient;
  readonly source: Group | Live;
  readonly inFlightMax: number;
  readonly isExclusive: boolean;
  /** Undefined: what it holds is never taken back. */
  readonly leaseMs: number | undefined;
  credit: number;
  /** What the pending `receive` takes at most; 0: none is pending. */
  wanted = 0;
  /** Handed to the pending `receive`, until the driver fetches it. */
  handed: Entry[] = [];
  /** Unsettled, in no order: each entry knows its slot, so that settling one costs no search. */
  readonly inFlight: Entry[] = [];
  /** Beside `inFlight`, only where there is a lease: when each goes back. Monotonic. */
  readonly leaseUntilMs: number[] = [];
  isClosed = false;

  constructor(
    client: ConsumerClient,
    source: Group | Live,
    settings: { inFlightMax: number; credit: number; isExclusive: boolean; leaseMs: number | undefined },
  ) {
    this.client = client;
    this.source = source;
    this.inFlightMax = settings.inFlightMax;
    this.credit = settings.credit;
    this.isExclusive = settings.isExclusive;
    this.leaseMs = settings.leaseMs;
  }

  /** How many more it may hold. */
  get free(): number {
    return this.credit - this.inFlight.length;
  }

  /** A pending `receive` that can take one more. */
  get isHungry(): boolean {
    return this.handed.length < this.wanted && this.inFlight.length < this.credit;
  }

  hold(entry: Entry, nowMs: number): void {
    entry.deliveries++;
    entry.holder = this;
    entry.slot = this.inFlight.length;
    this.inFlight.push(entry);
    if (this.leaseMs !== undefined) this.leaseUntilMs.push(nowMs + this.leaseMs);
  }

  /** Gives an entry to the pending `receive`. */
  hand(entry: Entry, nowMs: number, ready: Consumer[]): void {
    this.hold(entry, nowMs);
    if (this.handed.push(entry) === 1) ready.push(this);
  }

  drop(entry: Entry): void {
    const last = this.inFlight.pop();
    const lease = this.leaseMs === undefined ? undefined : this.leaseUntilMs.pop();
    if (last !== undefined && last !== entry) {
      this.inFlight[entry.slot] = last;
      if (lease !== undefined) this.leaseUntilMs[entry.slot] = lease;
      last.slot = entry.slot;
    }
    entry.holder = undefined;
  }

  /** Ends the pending `receive`, with what it got. */
  takeHanded(): readonly Entry[] {
    const handed = this.handed;
    this.handed = [];
    this.stopWaiting();
    return handed;
  }

  waitFor(max: number): void {
    if (this.wanted === 0) this.source.waiting++;
    this.wanted = max;
  }

  stopWaiting(): void {
    if (this.wanted === 0) return;
    this.wanted = 0;
    this.source.waiting--;
  }
}
