/**
 * The one file that reads time, sets timers and draws random numbers. Everything else gets a `Clock` and a `random` handed in, so that
 * a whole bus can be run in simulated time (`manualClock` of the testkit). A lint rule forbids `Date.now`, `setTimeout` and `Math.random` elsewhere.
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970; may step. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back. For durations. */
  monotonicMs(): number;
  /** Runs `run` once, not before `delayMs` have passed; delays above 2^31 ms work. Returns a function that cancels. */
  after(delayMs: number, run: () => void): () => void;
}

/** Longest delay that `setTimeout` takes; above it fires after 1 ms (measured on Node 20). */
const timerDelayMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const dueMs = performance.now() + delayMs;
    let timer: NodeJS.Timeout;
    // Timers may fire up to 1 ms early by the monotonic clock, and at most 2^31 ms at once: arm again until it is due.
    const arm = (): void => {
      const restMs = dueMs - performance.now();
      if (restMs <= 0) run();
      else timer = setTimeout(arm, Math.min(Math.ceil(restMs), timerDelayMsMax));
    };
    timer = setTimeout(arm, Math.min(Math.max(0, Math.ceil(delayMs)), timerDelayMsMax));
    return () => clearTimeout(timer);
  },
};

/** Uniform in [0, 1). */
export const systemRandom = (): number => Math.random();

/**
 * Watches how long one party has kept the event loop waiting. A bus in memory does all its work in microtasks: two handlers that answer each other
 * would otherwise starve every timer and socket of the process, also in simulated time, so this reads the real one. Each party has a watch of its own, so that none lives on the time of another.
 */
export class Turn {
  readonly #spanMs: number;
  #startMs = 0;
  #isMarked = false;

  /** `spanMs`: how long the party may go on before it lets the event loop run. */
  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  /** Whether the party should let the event loop run before it goes on. */
  isOverdue(): boolean {
    if (this.#isMarked) return performance.now() - this.#startMs > this.#spanMs;
    this.#isMarked = true;
    this.#startMs = performance.now();
    setImmediate(this.#unmark);
    return false;
  }

  /** Runs `run` in the event loop's next turn. */
  defer(run: () => void): void {
    setImmediate(run);
  }

  /** Resolves in the event loop's next turn. */
  next(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  readonly #unmark = (): void => {
    this.#isMarked = false;
  };
}
