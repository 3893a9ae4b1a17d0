/**
 * A subscription without a group: core NATS, at most once by nature. What comes waits in a buffer of fixed size; when it is full the oldest goes, and that
 * is reported. Where filters overlap, the server sends a message once for each: all but the first filter's are dropped here.
 */
import {
  type BackendSubscription,
  type Delivery,
  DeliveryBuffer,
  HalyardError,
  type Host,
  type Settlement,
  type SettleStatus,
  type TopicPattern,
} from "@halyard/core/spi";
import { type Msg, type NatsConnection, PermissionViolationError, type Subscription } from "@nats-io/transport-node";
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
  /** What core holds, by receipt. */
  readonly #held = new Map<unknown, Delivery>();
  readonly #buffer = new DeliveryBuffer();
  #dropped = 0;
  /** Messages without an id, of other programs: core would take two of one id for a repeat. */
  #foreign = 0;

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
    const taken = await this.#buffer.receive(max, signal);
    for (const delivery of taken) this.#held.set(delivery.receipt, delivery);
    return taken;
  }

  /** A live copy is nobody else's: it waits in the buffer, whatever the credit. */
  credit(): void {
    // The buffer is the bound.
  }

  /** What is released comes again, to this subscription: nobody else has it. Nothing is stored for it, so nothing can be moved. */
  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    if (this.#buffer.error !== undefined) throw this.#buffer.error;
    return settlements.map(({ receipt, outcome }): SettleStatus => {
      const delivery = this.#held.get(receipt);
      if (delivery === undefined) return "stale";
      if (outcome.type === "move") return "failed";
      this.#held.delete(receipt);
      if (outcome.type === "release") this.#keep({ ...delivery, deliveries: delivery.deliveries + 1, receipt: {} });
      return "done";
    });
  }

  fail(error: HalyardError): void {
    if (this.#buffer.isOver) return;
    this.#buffer.fail(error);
    this.#end();
  }

  /** `over`: its session closes, and calls are to be refused with this. */
  async close(over?: HalyardError): Promise<void> {
    if (this.#buffer.isOver) return;
    if (over === undefined) this.#buffer.close();
    else this.#buffer.fail(over);
    this.#end();
  }

  #end(): void {
    const { connection, onClose } = this.#parts;
    if (!connection.isClosed()) for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#held.clear();
    onClose(this);
  }

  /** The server tells of a subscription that is not allowed before it answers the next ping. */
  #deny(error: Error): void {
    this.fail(error instanceof PermissionViolationError ? fromPermission(error) : new HalyardError("BACKEND_FAILED", error.message, { cause: error }));
  }

  /** Why it ended by itself. */
  get failure(): Error | undefined {
    return this.#buffer.error;
  }

  #take(message: Msg, index: number): void {
    const { topology, patterns } = this.#parts;
    if (this.#buffer.isOver) return;
    const topic = message.subject.slice(topology.topicPrefix.length);
    if (!patterns.some((pattern) => pattern.matches(topic))) return; // surplus of a wide filter
    const words = topic.split(".");
    for (let other = 0; other < index; other++) if (takes(this.#filters[other]?.words ?? [], words)) return;
    const { message: wire } = readMessage(message, topology.topicPrefix.length, () => `live:${this.#foreign++}`);
    this.#keep({ message: wire, deliveries: 1, receipt: {}, raw: message });
  }

  #keep(delivery: Delivery): void {
    const { inFlightMax, host } = this.#parts;
    this.#buffer.push(delivery);
    if (this.#buffer.size <= inFlightMax) return;
    this.#buffer.shift();
    this.#dropped++;
    if (this.#dropped === 1) queueMicrotask(() => this.#reportGap(host));
  }

  #reportGap(host: Host): void {
    const count = this.#dropped;
    this.#dropped = 0;
    host.report({ type: "gap", subscription: this, count });
  }
}
