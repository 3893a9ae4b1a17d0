/** One subscription of the client: a queue of what the server has sent, which its credit bounds. */
import type { BackendSubscription, Delivery, Settlement, SettleStatus } from "@halyard/core/spi";
import { HalyardError } from "@halyard/core/spi";
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

const nothing: readonly Delivery[] = Object.freeze([]);

export class ClientSubscription implements BackendSubscription {
  lease: BackendSubscription["lease"] = undefined;
  readonly #id: number;
  readonly #inFlightMax: number;
  readonly #port: SubscriptionPort;
  #queue: Delivery[] = [];
  #error: Error | undefined = undefined;
  #isClosed = false;
  #closing: Promise<void> | undefined = undefined;
  #wake: (() => void) | undefined = undefined;
  #signal: AbortSignal | undefined = undefined;

  constructor(id: number, inFlightMax: number, port: SubscriptionPort) {
    this.#id = id;
    this.#inFlightMax = inFlightMax;
    this.#port = port;
  }

  async receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    while (this.#queue.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#isClosed || signal.aborted) return nothing;
      this.#listen(signal);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (signal.aborted) return nothing;
    if (this.#queue.length <= max) {
      const all = this.#queue;
      this.#queue = [];
      return all;
    }
    return this.#queue.splice(0, max);
  }

  credit(inFlightMax: number): void {
    if (this.#isClosed || this.#error !== undefined) return;
    this.#port.credit(this.#id, Math.max(1, Math.min(inFlightMax, this.#inFlightMax, inFlightMaxMax)));
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    if (settlements.length === 0) return undefined;
    // After `close` the server has given everything back: none of these receipts means anything any more.
    if (this.#isClosed) return settlements.map(() => "stale" as const);
    if (this.#error !== undefined) throw this.#error;
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
    if (this.#isClosed) return; // sent before the server knew: it has taken them back by now
    for (let index = 0; index < count; index++) {
      const message = read[index];
      if (message === undefined) break;
      this.#queue.push({ message, deliveries: counts[index] ?? 1, receipt: first + index, position: positions[index] || undefined });
    }
    this.#rouse();
  }

  /** Nothing more will come. What is queued is not handed out: it cannot be settled any more. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#queue = [];
    this.#forget();
    this.#rouse();
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.#queue = [];
    this.#forget();
    this.#rouse();
    if (this.#error !== undefined) return;
    await this.#port.unsubscribe(this.#id).catch((error: unknown) => {
      // When the connection is lost everything has been given back: closed is closed.
      if (!(error instanceof HalyardError) || error.code !== "CONNECTION_LOST") throw error;
    });
  }

  #rouse(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Callers mostly pass one and the same signal: it gets one listener, not one a call. */
  #listen(signal: AbortSignal): void {
    if (signal === this.#signal) return;
    this.#forget();
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort);
  }

  #forget(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#signal = undefined;
  }

  readonly #onAbort = (): void => this.#rouse();
}
