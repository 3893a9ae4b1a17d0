/** One live subscription: a bounded buffer. What does not fit goes, the oldest first, and core is told. */
import {
  type BackendSubscription,
  type Delivery,
  DeliveryBuffer,
  type HalyardError,
  type Host,
  type Settlement,
  type SettleStatus,
  type TopicPattern,
  type WireMessage,
} from "@halyard/core/spi";
import type { Source } from "./live.ts";

interface LiveReceipt {
  readonly delivery: { current: Delivery | undefined };
}

export class LiveSubscription implements BackendSubscription {
  readonly sources: readonly Source[];
  readonly #patterns: readonly TopicPattern[];
  readonly #inFlightMax: number;
  readonly #host: Host;
  readonly #onClose: () => Promise<void>;
  readonly #arrived: DeliveryBuffer;
  readonly #held = new Set<LiveReceipt>();
  #credit: number;
  #failure: HalyardError | undefined;
  #closing: Promise<void> | undefined;

  constructor(patterns: readonly TopicPattern[], sources: readonly Source[], inFlightMax: number, host: Host, onClose: () => Promise<void>) {
    this.sources = sources;
    this.#patterns = patterns;
    this.#inFlightMax = inFlightMax;
    this.#credit = inFlightMax;
    this.#host = host;
    this.#onClose = onClose;
    this.#arrived = new DeliveryBuffer(() => this.#credit - this.#held.size);
  }

  matches(topic: string): boolean {
    return this.#patterns.some((pattern) => pattern.matches(topic));
  }

  deliver(message: WireMessage): void {
    const isFull = this.#arrived.size >= this.#inFlightMax;
    if (isFull) this.#arrived.shift();
    this.#add(message, 1);
    if (isFull) this.#host.report({ type: "gap", subscription: this, count: 1 });
  }

  async receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    const deliveries = await this.#arrived.receive(max, signal);
    for (const { receipt } of deliveries) this.#held.add(receipt as LiveReceipt); // all receipts are made in #add
    return deliveries;
  }

  credit(inFlightMax: number): void {
    this.#credit = Math.max(0, Math.min(inFlightMax, this.#inFlightMax));
    this.#arrived.tell();
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    const statuses = settlements.map(({ receipt, outcome }): SettleStatus => {
      const held = receipt as LiveReceipt; // looked up before it is used
      if (!this.#held.has(held)) return "stale";
      if (outcome.type === "move") return "failed"; // a live copy has neither inbox nor dead letters
      this.#held.delete(held);
      const delivery = held.delivery.current;
      if (outcome.type === "release" && delivery !== undefined) this.#add(delivery.message, delivery.deliveries + 1);
      return "done";
    });
    this.#arrived.tell();
    return statuses.every((status) => status === "done") ? undefined : statuses;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  fail(error: HalyardError): void {
    this.#failure ??= error;
    this.#held.clear();
    this.#arrived.fail(error);
  }

  #add(message: WireMessage, deliveries: number): void {
    const receipt: LiveReceipt = { delivery: { current: undefined } };
    const delivery: Delivery = { message, deliveries, receipt };
    receipt.delivery.current = delivery;
    this.#arrived.push(delivery);
  }

  async #close(): Promise<void> {
    this.#arrived.close();
    this.#held.clear();
    if (this.#failure === undefined) await this.#onClose();
  }
}
