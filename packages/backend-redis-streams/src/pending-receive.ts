/**
 * The one `receive` that may wait, and what waits for it. A call that is aborted takes nothing: what arrives then is for the next one. Core passes the
 * same signal again and again, so one listener serves them all.
 */
import { type Delivery, HalyardError } from "@halyard/core/spi";

const nothing: readonly Delivery[] = Object.freeze([]);

interface Waiting {
  readonly max: number;
  readonly resolve: (deliveries: readonly Delivery[]) => void;
  readonly reject: (error: HalyardError) => void;
}

export class PendingReceive {
  #buffer: Delivery[] = [];
  #waiting: Waiting | undefined;
  #signal: AbortSignal | undefined;
  #failure: HalyardError | undefined;
  #isClosed = false;
  readonly #room: () => number;

  /** `room`: how many may be handed over now. */
  constructor(room: () => number = () => Number.POSITIVE_INFINITY) {
    this.#room = room;
  }

  /** Deliveries that nobody has received yet. */
  get buffered(): readonly Delivery[] {
    return this.#buffer;
  }

  receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isClosed || signal.aborted) return Promise.resolve(nothing);
    if (this.#waiting !== undefined) return Promise.reject(new HalyardError("BUSY", "One receive at a time: wait for the one before."));
    if (this.#buffer.length > 0 && this.#room() > 0) return Promise.resolve(this.#take(max));
    this.#listen(signal);
    return new Promise((resolve, reject) => {
      this.#waiting = { max, resolve, reject };
    });
  }

  /** Hands over what has arrived. */
  add(deliveries: readonly Delivery[]): void {
    this.#buffer = this.#buffer.length === 0 ? [...deliveries] : [...this.#buffer, ...deliveries];
    this.flush();
  }

  /** There may be room again. */
  flush(): void {
    if (this.#buffer.length === 0 || this.#room() <= 0) return;
    const waiting = this.#stopWaiting();
    if (waiting !== undefined) waiting.resolve(this.#take(waiting.max));
  }

  /** Everything that nobody has received goes back to the caller. */
  drain(): readonly Delivery[] {
    const rest = this.#buffer;
    this.#buffer = [];
    return rest;
  }

  /** Keeps the newest `most`. Returns how many went. */
  dropOldest(most: number): number {
    const count = Math.max(0, this.#buffer.length - most);
    if (count > 0) this.#buffer = this.#buffer.slice(count);
    return count;
  }

  close(): void {
    this.#isClosed = true;
    this.#listen(undefined);
    this.#stopWaiting()?.resolve(nothing);
  }

  /** Every call from now on rejects. */
  fail(error: HalyardError): void {
    if (this.#isClosed) return;
    this.#failure ??= error;
    this.#listen(undefined);
    this.#buffer = [];
    this.#stopWaiting()?.reject(error);
  }

  #take(most: number): readonly Delivery[] {
    const max = Math.min(most, this.#room());
    const all = this.#buffer;
    if (all.length <= max) {
      this.#buffer = [];
      return all;
    }
    this.#buffer = all.slice(max);
    return all.slice(0, max);
  }

  #stopWaiting(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  #listen(signal: AbortSignal | undefined): void {
    if (signal === this.#signal) return;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => this.#stopWaiting()?.resolve(nothing);
}
