/** One subscription of the client: a queue of what the server has sent, which its credit bounds. */
import { type BackendSubscription, type Delivery, DeliveryBuffer, HalyardError, isHalyardError, type Settlement, type SettleStatus } from "@halyard/core/spi";
import type { ByteReader } from "../protocol/byte-reader.ts";
import { deliveryFlags } from "../protocol/frames.ts";
import type { MessageReader } from "../protocol/message-reader.ts";
import { inFlightMaxMax } from "../protocol/subscribe-request.ts";
import { violation } from "../protocol/violation.ts";

/** What a subscription asks of its session. */
export interface SubscriptionPort {
  settle(subscription: number, settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined>;
  extend(subscription: number, receipts: readonly unknown[]): Promise<readonly unknown[]>;
  credit(subscription: number, inFlightMax: number): void;
  unsubscribe(subscription: number): Promise<void>;
}

export class ClientSubscription implements BackendSubscription {
  lease: BackendSubscription["lease"] = undefined;
  readonly #id: number;
  readonly #inFlightMax: number;
  readonly #port: SubscriptionPort;
  readonly #arrived = new DeliveryBuffer();
  #closing: Promise<void> | undefined = undefined;

  constructor(id: number, inFlightMax: number, port: SubscriptionPort) {
    this.#id = id;
    this.#inFlightMax = inFlightMax;
    this.#port = port;
  }

  receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    return this.#arrived.receive(max, signal);
  }

  credit(inFlightMax: number): void {
    if (this.#arrived.isOver) return;
    this.#port.credit(this.#id, Math.max(1, Math.min(inFlightMax, this.#inFlightMax, inFlightMaxMax)));
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    const { error } = this.#arrived;
    if (isHalyardError(error, "CONNECTION_LOST")) throw error;
    // After `close` and the group's removal the server has given everything back: none of these receipts means anything any more.
    if (this.#closing !== undefined || error !== undefined) return settlements.map(() => "stale" as const);
    if (settlements.length === 0) return undefined;
    return this.#port.settle(this.#id, settlements);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The server says what the lease is, if there is one. */
  setLease(durationMs: number): void {
    this.lease = { durationMs, extend: (receipts) => this.#port.extend(this.#id, receipts) };
  }

  /** Takes a frame of deliveries. @throws PROTOCOL_ERROR */
  deliver(reader: ByteReader, messages: MessageReader): void {
    const flags = reader.u8();
    const first = reader.f64();
    const count = reader.u32();
    if (!Number.isSafeInteger(first) || count > reader.end - reader.position) throw violation("more deliveries announced than the frame holds");
    const counts: number[] = [];
    const positions: string[] = [];
    if ((flags & deliveryFlags.counts) !== 0) for (let index = 0; index < count; index++) counts.push(reader.varint());
    if ((flags & deliveryFlags.positions) !== 0) for (let index = 0; index < count; index++) positions.push(reader.text8());
    const read = messages.readPlain(reader.bytes, reader.position, reader.end, count);
    // What was sent before the server knew that this is closed is dropped: the server has taken it back by now.
    for (let index = 0; index < count; index++) {
      const message = read[index];
      if (message === undefined) break;
      this.#arrived.push({ message, deliveries: counts[index] ?? 1, receipt: first + index, position: positions[index] || undefined });
    }
  }

  /** Nothing more will come. What is queued is not handed out: it cannot be settled any more. */
  fail(error: Error): void {
    this.#arrived.fail(error);
  }

  async #close(): Promise<void> {
    const isLost = this.#arrived.error !== undefined;
    this.#arrived.close();
    if (isLost) return;
    await this.#port.unsubscribe(this.#id).catch((error: unknown) => {
      // When the connection is lost everything has been given back: closed is closed.
      if (!(error instanceof HalyardError) || error.code !== "CONNECTION_LOST") throw error;
    });
  }
}
