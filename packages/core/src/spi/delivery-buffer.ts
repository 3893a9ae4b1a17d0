/**
 * What a broker has pushed and nobody has received: where the `receive` of a subscription waits, for backends whose client hands over messages when it
 * likes. It keeps the rules that `BackendSubscription.receive` states: one call at a time, empty only after an abort or the end, and nothing lost
 * where an arrival and an abort meet.
 *
 * Who waits is woken, and looks again when the turn's other arrivals are there too: ten messages of one packet are one batch.
 */
import { HalyardError } from "../errors.ts";
import type { Delivery } from "./message.ts";

export class DeliveryBuffer<Item = Delivery> {
  readonly #room: () => number;
  #items: Item[] = [];
  #wake: (() => void) | undefined;
  #isReceiving = false;
  #signal: AbortSignal | undefined;
  #isClosed = false;
  #error: Error | undefined;

  /** `room`: how many may be handed over now; by default all. Where it can grow without an arrival, call `tell` then. */
  constructor(room: () => number = () => Number.POSITIVE_INFINITY) {
    this.#room = room;
  }

  /** How many wait. */
  get size(): number {
    return this.#items.length;
  }

  /** Why nothing will come any more, where it was not closed in peace. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Whether it was closed or has failed. */
  get isOver(): boolean {
    return this.#isClosed || this.#error !== undefined;
  }

  /** Waits for one, resolves to 1 to `max`, oldest first; to none after an abort or `close`. Rejects with what `fail` was given, or `BUSY`. */
  async receive(max: number, signal: AbortSignal): Promise<readonly Item[]> {
    if (this.#isReceiving) throw new HalyardError("BUSY", "One receive at a time: wait for the one before.");
    this.#isReceiving = true;
    try {
      for (;;) {
        if (this.#error !== undefined) throw this.#error;
        if (this.#isClosed || signal.aborted) return [];
        const count = Math.min(Math.max(1, max), this.#room());
        if (this.#items.length > 0 && count > 0) return this.#take(count);
        this.#listen(signal);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#isReceiving = false;
    }
  }

  /** One more, behind the others. What comes after the end is dropped: it belongs to nobody. */
  push(item: Item): void {
    if (this.isOver) return;
    this.#items.push(item);
    this.tell();
  }

  /** Something has changed, such as the room: who waits looks again. */
  tell(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Takes out the oldest, past `receive`. */
  shift(): Item | undefined {
    return this.#items.shift();
  }

  /** Takes out the newest. */
  pop(): Item | undefined {
    return this.#items.pop();
  }

  /** Takes out all. */
  drain(): readonly Item[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }

  /** Leaves only those that `isKept`. */
  retain(isKept: (item: Item) => boolean): void {
    if (this.#items.length > 0) this.#items = this.#items.filter(isKept);
  }

  /** The subscription is over: who waits gets none, and so does every later call. What waits is forgotten: drain it first if somebody wants it. */
  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  /** The subscription broke: every call rejects with this, also the one that waits. Nothing after `close`; the first error counts. */
  fail(error: Error): void {
    if (this.#isClosed) return;
    this.#error ??= error;
    this.#end();
  }

  #take(count: number): readonly Item[] {
    if (this.#items.length <= count) return this.drain();
    return this.#items.splice(0, count);
  }

  #end(): void {
    this.#items = [];
    this.#listen(undefined);
    this.tell();
  }

  /** Core passes the same signal to many calls: one listener serves them all. */
  #listen(signal: AbortSignal | undefined): void {
    if (signal === this.#signal) return;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => this.tell();
}
