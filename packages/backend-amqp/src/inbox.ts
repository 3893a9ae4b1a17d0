/** Deliveries that have arrived and wait for `receive`: one reader, one listener per signal, nothing lost when arrival and abort meet. */
import { HalyardError } from "@halyard/core/spi";

const nothing: readonly never[] = Object.freeze([]);

export class Inbox<Item> {
  #items: Item[] = [];
  #wake: (() => void) | undefined;
  #isReceiving = false;
  #signal: AbortSignal | undefined;
  #isClosed = false;
  #error: Error | undefined;

  get size(): number {
    return this.#items.length;
  }

  /** Why nothing will come any more. */
  get error(): Error | undefined {
    return this.#error;
  }

  get isOver(): boolean {
    return this.#isClosed || this.#error !== undefined;
  }

  push(item: Item): void {
    this.#items.push(item);
    this.#rouse();
  }

  /** Removes the oldest. */
  shift(): Item | undefined {
    return this.#items.shift();
  }

  /** Takes all that wait. */
  clear(): readonly Item[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }

  /** Waits for one, returns at most `max`. Empty after an abort or `close`. Rejects with what `fail` was given. */
  async take(max: number, signal: AbortSignal): Promise<readonly Item[]> {
    if (this.#isReceiving) throw new HalyardError("BUSY", "One receive at a time: wait for the one before.");
    this.#isReceiving = true;
    try {
      for (;;) {
        if (this.#error !== undefined) throw this.#error;
        if (this.#isClosed || signal.aborted) return nothing;
        if (this.#items.length > 0) return this.#cut(Math.max(1, max));
        this.#listen(signal);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#isReceiving = false;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#end();
  }

  #cut(max: number): readonly Item[] {
    const items = this.#items;
    if (items.length > max) return items.splice(0, max);
    this.#items = [];
    return items;
  }

  #end(): void {
    this.#items = [];
    this.#listen(undefined);
    this.#rouse();
  }

  #rouse(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Core passes the same signal to many calls: one listener serves them all. */
  #listen(signal: AbortSignal | undefined): void {
    if (signal === this.#signal) return;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => this.#rouse();
}
