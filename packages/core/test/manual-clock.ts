/** Time that moves only when a test says so. Core's tests cannot use the testkit's: it depends on core. */
import type { Clock } from "../src/clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

export class ManualClock implements Clock {
  #monotonicMs = 0;
  #wallMs = 1_700_000_000_000;
  #timers: Timer[] = [];

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer: Timer = { dueMs: this.#monotonicMs + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.length;
  }

  /** Moves on, running each timer at its time and letting what it woke come to rest. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + byMs;
    await quiet();
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#move(Math.max(this.#monotonicMs, next.dueMs));
      this.#timers = this.#timers.filter((other) => other !== next);
      next.run();
      await quiet();
    }
    this.#move(untilMs);
  }

  /** Time goes on and no timer runs, as when something keeps the event loop. */
  stall(byMs: number): void {
    this.#move(this.#monotonicMs + byMs);
  }

  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (timer.dueMs <= untilMs && (first === undefined || timer.dueMs < first.dueMs)) first = timer;
    return first;
  }

  #move(toMs: number): void {
    this.#wallMs += toMs - this.#monotonicMs;
    this.#monotonicMs = toMs;
  }
}

/** Resolves when everything that was ready to run has run: all of core moves by microtasks, `nextTick` and `setImmediate`. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
