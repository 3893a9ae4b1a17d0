/**
 * A subscription without a group: core NATS, at most once by nature. What comes waits in a buffer of fixed size; when it is full the oldest goes, and that
 * is reported. Where filters overlap, the server sends a message once for each: all but the first filter's are dropped here.
 */
import { type BackendSubscription, type Delivery, HalyardError, type Host, type SettleStatus, type TopicPattern } from "@halyard/core/spi";
import { type Msg, type NatsConnection, PermissionViolationError, type Subscription } from "@nats-io/transport-node";
import { Arrival } from "./arrival.ts";
import { fromPermission } from "./errors.ts";
import { coverOf, type Filter, filtersOf, takes, textOf } from "./filters.ts";
import type { Topology } from "./names.ts";
import { readMessage } from "./native-message.ts";

export interface LiveSubscriptionParts {
  readonly connection: NatsConnection;
  readonly host: Host;
  readonly topology: Topology;
  readonly patterns: readonly TopicPattern[];
  readonly inFlightMax: number;
  onClose(subscription: LiveSubscription): void;
}

export class LiveSubscription implements BackendSubscription {
  readonly #parts: LiveSubscriptionParts;
  readonly #filters: readonly Filter[];
  readonly #subscriptions: Subscription[];
  readonly #held = new Set<unknown>();
  #buffer: Delivery[] = [];
  #dropped = 0;
  /** Messages without an id, of other programs: core would take two of one id for a repeat. */
  #foreign = 0;
  readonly #arrival = new Arrival();
  #failure: HalyardError | undefined;
  #isClosed = false;

  constructor(parts: LiveSubscriptionParts) {
    this.#parts = parts;
    this.#filters = coverOf(parts.patterns.flatMap(filtersOf));
    this.#subscriptions = this.#filters.map((filter, index) =>
      parts.connection.subscribe(parts.topology.topicPrefix + textOf(filter), {
        callback: (error, message) => (error === null ? this.#take(message, index) : this.#deny(error)),
      }),
    );
  }

  async receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    if (this.#buffer.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isClosed || signal.aborted) return [];
      await this.#arrival.wait(signal);
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isClosed || signal.aborted) return [];
    }
    const taken = this.#buffer.splice(0, max);
    for (const { receipt } of taken) this.#held.add(receipt);
    return taken;
  }

  /** A live copy is nobody else's: it waits in the buffer, whatever the credit. */
  credit(): void {
    // The buffer is the bound.
  }

  async settle(settlements: readonly { readonly receipt: unknown }[]): Promise<readonly SettleStatus[] | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    let isStale = false;
    const statuses = settlements.map(({ receipt }): SettleStatus => {
      if (this.#held.delete(receipt)) return "done";
      isStale = true;
      return "stale";
    });
    return isStale ? statuses : undefined;
  }

  fail(error: HalyardError): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    this.#failure = error;
    this.#end();
  }

  /** `over`: its session closes, and calls are to be refused with this. */
  async close(over?: HalyardError): Promise<void> {
    if (this.#isClosed || this.#failure !== undefined) return;
    this.#isClosed = true;
    this.#failure = over;
    this.#end();
  }

  #end(): void {
    const { connection, onClose } = this.#parts;
    if (!connection.isClosed()) for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#buffer = [];
    this.#held.clear();
    onClose(this);
    this.#arrival.tell();
  }

  /** The server tells of a subscription that is not allowed before it answers the next ping. */
  #deny(error: Error): void {
    this.fail(error instanceof PermissionViolationError ? fromPermission(error) : new HalyardError("BACKEND_FAILED", error.message, { cause: error }));
  }

  /** Why it ended by itself. */
  get failure(): HalyardError | undefined {
    return this.#failure;
  }

  #take(message: Msg, index: number): void {
    const { topology, patterns, inFlightMax, host } = this.#parts;
    if (this.#isClosed || this.#failure !== undefined) return;
    const topic = message.subject.slice(topology.topicPrefix.length);
    if (!patterns.some((pattern) => pattern.matches(topic))) return; // surplus of a wide filter
    const words = topic.split(".");
    for (let other = 0; other < index; other++) if (takes(this.#filters[other]?.words ?? [], words)) return;
    const { message: wire } = readMessage(message, topology.topicPrefix.length, () => `live:${this.#foreign++}`);
    this.#buffer.push({ message: wire, deliveries: 1, receipt: {}, raw: message });
    if (this.#buffer.length > inFlightMax) {
      this.#buffer.shift();
      this.#dropped++;
      if (this.#dropped === 1) queueMicrotask(() => this.#reportGap(host));
    }
    this.#arrival.tell();
  }

  #reportGap(host: Host): void {
    const count = this.#dropped;
    this.#dropped = 0;
    host.report({ type: "gap", subscription: this, count });
  }
}
