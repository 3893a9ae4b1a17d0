/** One subscription of one client: pumps what the backend hands over to the socket, as fast as the client reads and no faster. */
import type { BackendSubscription, Delivery, Outcome, Settlement, SettleStatus } from "@halyard/core/spi";
import type { ByteReader } from "../protocol/byte-reader.ts";
import type { FrameWriter } from "../protocol/frame-writer.ts";
import { deliveryFlags, fromServer } from "../protocol/frames.ts";
import type { Link } from "../protocol/link.ts";
import type { MessageReader } from "../protocol/message-reader.ts";
import { messageBytesMax, writeMessage, writeMessages } from "../protocol/message-writer.ts";
import { readSettlements } from "../protocol/settlements.ts";
import { toWireError } from "../protocol/wire-error.ts";
import { Receipts } from "./receipts.ts";

/** Most deliveries taken from the backend at once. */
const receiveMax = 512;
/** A frame of deliveries is closed when it has grown to this: what waits for a slow reader waits in the backend, where it is counted. */
const framePayloadBytesMax = 48 * 1024;

export class ServedSubscription {
  readonly backend: BackendSubscription;
  readonly #id: number;
  readonly #link: Link;
  readonly #signal: AbortSignal;
  readonly #receipts = new Receipts();
  #isClosed = false;

  constructor(id: number, backend: BackendSubscription, link: Link, signal: AbortSignal) {
    this.#id = id;
    this.backend = backend;
    this.#link = link;
    this.#signal = signal;
  }

  /** Runs until the subscription or the connection ends; never rejects. */
  async pump(): Promise<void> {
    const link = this.#link;
    try {
      while (!link.isOver) {
        if (link.isFull) await link.drained();
        const deliveries = await this.backend.receive(receiveMax, this.#signal);
        if (deliveries.length === 0) return;
        for (let index = 0; index < deliveries.length; ) {
          if (link.isFull) await link.drained();
          if (link.isOver) return;
          index = this.#send(deliveries, index);
        }
      }
    } catch (error) {
      if (!this.#isClosed) this.#sendEnd(error);
    }
  }

  /** Reads settlements and passes them on. `undefined`: all done. */
  async settle(reader: ByteReader, messages: MessageReader): Promise<readonly SettleStatus[] | undefined> {
    const receipts = this.#receipts;
    const settlements: Settlement[] = [];
    const numbers: number[] = [];
    let stale: SettleStatus[] | undefined;
    const places: number[] = [];
    let index = 0;
    readSettlements(reader, messages, (number: number, outcome: Outcome) => {
      const receipt = receipts.get(number);
      if (receipt === undefined) {
        stale ??= [];
        stale[index] = "stale";
      } else {
        settlements.push({ receipt, outcome });
        numbers.push(number);
        places.push(index);
      }
      index++;
    });
    const statuses = settlements.length === 0 ? undefined : await this.backend.settle(settlements);
    // A copy that could not be stored is still held: its receipt stays good.
    for (let place = 0; place < numbers.length; place++) if (statuses?.[place] !== "failed") receipts.remove(numbers[place] ?? 0);
    if (stale === undefined) return statuses;
    const merged = stale;
    for (const [place, at] of places.entries()) merged[at] = statuses?.[place] ?? "done";
    return merged;
  }

  /** Returns the numbers of those that were already lost. */
  async extend(numbers: readonly number[]): Promise<readonly number[]> {
    const { lease } = this.backend;
    const known = numbers.filter((number) => this.#receipts.get(number) !== undefined);
    const gone = numbers.filter((number) => this.#receipts.get(number) === undefined);
    const lost = new Set((await lease?.extend(known.map((number) => this.#receipts.get(number)))) ?? []);
    return [...gone, ...known.filter((number) => lost.has(this.#receipts.get(number)))];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.backend.close();
  }

  /** Writes as many deliveries as one frame takes, from `start` on; returns the index after them. */
  #send(deliveries: readonly Delivery[], start: number): number {
    let flags = 0;
    let bytes = 0;
    let end = start;
    for (; end < deliveries.length && (bytes < framePayloadBytesMax || end === start); end++) {
      const delivery = deliveries[end];
      if (delivery === undefined) break;
      bytes += messageBytesMax(delivery.message);
      if (delivery.deliveries !== 1) flags |= deliveryFlags.counts;
      if (delivery.position !== undefined) flags |= deliveryFlags.positions;
    }
    const { writer } = this.#link;
    writer.begin(fromServer.deliveries);
    try {
      this.#write(writer, deliveries.slice(start, end), flags);
    } catch (error) {
      writer.cancel();
      throw error;
    }
    writer.end();
    return end;
  }

  #write(writer: FrameWriter, deliveries: readonly Delivery[], flags: number): void {
    writer.u32(this.#id);
    writer.u8(flags);
    writer.f64(this.#receipts.next);
    writer.u32(deliveries.length);
    for (const delivery of deliveries) this.#receipts.add(delivery.receipt);
    if ((flags & deliveryFlags.counts) !== 0) for (const delivery of deliveries) writer.varint(delivery.deliveries);
    if ((flags & deliveryFlags.positions) !== 0) for (const delivery of deliveries) writer.text8(delivery.position ?? "");
    const [first] = deliveries;
    if (deliveries.length === 1 && first !== undefined) writeMessage(writer, first.message);
    else
      writeMessages(
        writer,
        deliveries.map((delivery) => delivery.message),
      );
  }

  #sendEnd(error: unknown): void {
    const { writer } = this.#link;
    writer.begin(fromServer.ended);
    writer.u32(this.#id);
    writer.json(toWireError(error));
    writer.end();
  }
}
