/** One member of a group: its credit, what it holds, and how that is settled. */
import {
  type BackendSubscription,
  type Clock,
  type Delivery,
  DeliveryBuffer,
  type HalyardError,
  isHalyardError,
  type Outcome,
  type Settlement,
  type SettleStatus,
  type WireMessage,
} from "@halyard/core/spi";
import { endsSession } from "./errors.ts";
import type { Entry, GroupQueue } from "./group-queue.ts";
import { Packer } from "./packer.ts";
import { inParts } from "./parts.ts";
import { packMessage } from "./wire.ts";

/** One hand-over: the receipt. */
export interface Held {
  readonly entryId: string;
  /** The group's epoch when it was fetched. */
  readonly epoch: string;
  /** By the monotonic clock; never later than Redis' own. */
  leaseUntilMs: number;
  /** Its settlement is on its way. */
  isSettling: boolean;
}

/** Looks for what has lapsed, within one lease. */
const looksPerLease = 4;

/** What the session does for its members. */
export interface GroupPort {
  readonly leaseMs: number;
  readonly clock: Clock;
  /** Two commands for all. False where nothing was done, because the epoch is another. */
  ack(queue: GroupQueue, ids: readonly string[]): Promise<boolean>;
  /** One status each. */
  settle(queue: GroupQueue, list: Buffer): Promise<readonly (SettleStatus | HalyardError)[]>;
  /** Returns the ids that are no longer ours. */
  extend(queue: GroupQueue, ids: readonly string[]): Promise<readonly string[]>;
  /** There is room again, or no longer. */
  onCredit(queue: GroupQueue): void;
  /** The server refuses a settlement for now, the session lives: core tries again. */
  onRefusal(queue: GroupQueue, error: HalyardError): void;
  /** A retry waits for so long. */
  onDelay(delayMs: number): void;
  leave(member: GroupSubscription): Promise<void>;
}

/** What `settle` in `scripts/settle.ts` is told about one entry. */
type Kind = "ack" | "release" | "untouched" | "inbox" | "dead";

/** A settlement of something that we hold. */
interface Claim {
  /** Its place in what core gave us. */
  readonly index: number;
  readonly held: Held;
  readonly outcome: Outcome;
}

const bytesOf = ({ outcome }: Claim): number => (outcome.type === "move" ? outcome.message.body.byteLength : 0);

export class GroupSubscription implements BackendSubscription {
  readonly queue: GroupQueue;
  readonly lease: NonNullable<BackendSubscription["lease"]>;
  readonly #port: GroupPort;
  readonly #arrived = new DeliveryBuffer();
  readonly #held = new Set<Held>();
  readonly #inFlightMax: number;
  readonly #packer = new Packer();
  /** Core opens it when it has seen the first delivery. */
  #credit = 1;
  #failure: HalyardError | undefined;
  #closing: Promise<void> | undefined;
  #cancelLook: (() => void) | undefined;

  constructor(queue: GroupQueue, inFlightMax: number, port: GroupPort) {
    this.queue = queue;
    this.#inFlightMax = inFlightMax;
    this.#port = port;
    this.lease = { durationMs: port.leaseMs, extend: (receipts) => this.#extend(receipts) };
  }

  /** How many entries it may still be given. */
  get free(): number {
    return this.#closing === undefined && this.#failure === undefined ? Math.max(0, this.#credit - this.#held.size) : 0;
  }

  receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    return this.#arrived.receive(max, signal);
  }

  credit(inFlightMax: number): void {
    this.#credit = Math.max(0, Math.min(inFlightMax, this.#inFlightMax));
    if (this.#credit === 0) this.#giveBackBuffered();
    this.#port.onCredit(this.queue);
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    if (this.#failure?.code === "CONNECTION_LOST") throw this.#failure;
    const statuses = settlements.map((): SettleStatus => "stale");
    const claims = this.#claim(settlements);
    try {
      for (const part of inParts(claims, bytesOf)) {
        const results = await this.#settlePart(part);
        for (let at = 0; at < part.length; at++) statuses[(part[at] as Claim).index] = results?.[at] ?? "done"; // at < length
      }
    } finally {
      for (const { held } of claims) held.isSettling = false;
      this.#port.onCredit(this.queue);
    }
    return statuses.every((status) => status === "done") ? undefined : statuses;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** For the queue: these are ours now. */
  deliver(entries: readonly Entry[], epoch: string, read: (entry: Entry) => WireMessage): void {
    const leaseUntilMs = this.#port.clock.monotonicMs() + this.#port.leaseMs;
    for (const entry of entries) {
      const receipt: Held = { entryId: entry.id, epoch, leaseUntilMs, isSettling: false };
      this.#held.add(receipt);
      this.#arrived.push({ message: read(entry), deliveries: entry.deliveries, receipt, position: entry.id });
    }
    this.#watchLeases();
  }

  /** The entry was handed over again: what we hold of it is stale. */
  forget(entryId: string): void {
    for (const held of this.#held) if (held.entryId === entryId) this.#held.delete(held);
  }

  /** The group was removed, or the session is over. */
  fail(error: HalyardError): void {
    this.#failure ??= error;
    this.#held.clear();
    this.#cancelLook?.();
    this.#arrived.fail(error);
  }

  /** From now on nobody else settles or gives back what is in here. */
  #claim(settlements: readonly Settlement[]): readonly Claim[] {
    const claims: Claim[] = [];
    for (const [index, { receipt, outcome }] of settlements.entries()) {
      const held = receipt as Held; // looked up before it is used
      if (!this.#held.has(held) || held.isSettling) continue;
      held.isSettling = true;
      claims.push({ index, held, outcome });
    }
    return claims;
  }

  /** Undefined: all done. Rejects only where the session ended. */
  async #settlePart(part: readonly Claim[]): Promise<readonly SettleStatus[] | undefined> {
    try {
      // Acks of what we certainly own are the way of nearly all.
      const isPlain = part.every(({ held, outcome }) => outcome.type === "ack" && held.epoch === this.queue.epoch);
      if (!isPlain || !(await this.#ack(part))) return await this.#settleEach(part);
      return undefined;
    } catch (error) {
      if (!isHalyardError(error) || endsSession(error)) throw error;
      this.#port.onRefusal(this.queue, error);
      return part.map(() => "failed");
    }
  }

  async #ack(part: readonly Claim[]): Promise<boolean> {
    const isDone = await this.#port.ack(
      this.queue,
      part.map(({ held }) => held.entryId),
    );
    if (isDone) for (const { held } of part) this.#held.delete(held);
    return isDone;
  }

  async #settleEach(part: readonly Claim[]): Promise<readonly SettleStatus[]> {
    let delayMsMin = Number.POSITIVE_INFINITY;
    this.#packer.clear();
    this.#packer.array(part.length * 4);
    for (const { held, outcome } of part) {
      if (outcome.type !== "move") {
        this.#pack(held.entryId, outcome.type);
        continue;
      }
      const isInbox = outcome.to === "inbox";
      const delayMs = Math.ceil(Math.max(0, outcome.delayMs));
      if (isInbox && delayMs > 0) delayMsMin = Math.min(delayMsMin, delayMs);
      this.#pack(held.entryId, isInbox ? "inbox" : "dead", outcome.message, delayMs);
    }
    const results = await this.#port.settle(this.queue, this.#packer.take());
    if (delayMsMin < Number.POSITIVE_INFINITY) this.#port.onDelay(delayMsMin);
    return part.map(({ held }, at) => {
      const result = results[at] ?? "stale";
      const status = typeof result === "string" ? result : "failed";
      if (status !== "failed") this.#held.delete(held);
      return status;
    });
  }

  #pack(entryId: string, kind: Kind, message?: WireMessage, delayMs = 0): void {
    const packer = this.#packer;
    packer.text(entryId);
    packer.text(kind);
    const start = packer.beginNested();
    if (message !== undefined) packMessage(packer, message);
    packer.endNested(start);
    packer.text(String(delayMs));
  }

  async #extend(receipts: readonly unknown[]): Promise<readonly unknown[]> {
    if (this.#failure?.code === "CONNECTION_LOST") throw this.#failure;
    const { clock, leaseMs } = this.#port;
    const leaseUntilMs = clock.monotonicMs() + leaseMs;
    const known = receipts.filter((receipt) => this.#held.has(receipt as Held)) as readonly Held[]; // those that are in the set are
    const lost = new Set<string>();
    for (const part of inParts(known)) {
      const ids = part.map(({ entryId }) => entryId);
      for (const id of await this.#port.extend(this.queue, ids)) lost.add(id);
    }
    for (const held of known) if (!lost.has(held.entryId)) held.leaseUntilMs = leaseUntilMs;
    return receipts.filter((receipt) => !this.#held.has(receipt as Held) || lost.has((receipt as Held).entryId));
  }

  #watchLeases(): void {
    if (this.#cancelLook !== undefined || this.#held.size === 0) return;
    const { clock, leaseMs } = this.#port;
    this.#cancelLook = clock.after(leaseMs / looksPerLease, () => {
      this.#cancelLook = undefined;
      this.#forgetLapsed(clock.monotonicMs());
      this.#watchLeases();
    });
  }

  /** What was neither settled nor extended in time is Redis' again, and takes no credit any more: core settles nothing that has lapsed. */
  #forgetLapsed(nowMs: number): void {
    const before = this.#held.size;
    for (const held of this.#held) if (held.leaseUntilMs <= nowMs && !held.isSettling) this.#held.delete(held);
    if (this.#held.size < before) this.#port.onCredit(this.queue);
  }

  /** What was fetched and not received was never tried: this hand-over does not count. */
  #giveBackBuffered(): void {
    const rest = this.#arrived.drain();
    if (rest.length === 0) return;
    this.#giveBack(
      rest.map(({ receipt }) => receipt as Held),
      "untouched",
    ).catch(() => undefined); // only ends with the session, which gives back all
  }

  async #giveBack(list: readonly Held[], kind: "release" | "untouched"): Promise<void> {
    const open = list.filter((held) => this.#held.has(held) && !held.isSettling);
    for (const held of open) held.isSettling = true;
    try {
      for (const part of inParts(open)) {
        this.#packer.clear();
        this.#packer.array(part.length * 4);
        for (const held of part) this.#pack(held.entryId, kind);
        await this.#port.settle(this.queue, this.#packer.take());
        for (const held of part) this.#held.delete(held);
      }
    } finally {
      for (const held of open) held.isSettling = false;
      this.#port.onCredit(this.queue);
    }
  }

  /** Gives back everything that is not being settled. */
  async surrender(): Promise<void> {
    this.#credit = 0;
    const buffered = this.#arrived.drain().map(({ receipt }) => receipt as Held); // receipts of ours are what we made
    await this.#giveBack(buffered, "untouched");
    await this.#giveBack([...this.#held], "release");
  }

  async #close(): Promise<void> {
    const surrendering = this.#failure === undefined ? this.surrender() : undefined;
    this.#arrived.close();
    await surrendering;
    this.#held.clear();
    this.#cancelLook?.();
    if (this.#failure === undefined) await this.#port.leave(this);
  }
}
