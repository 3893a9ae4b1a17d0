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

/** Longest time that microtasks may keep the event loop from its sockets and timers. */
const turnMsMax = 10;

/**
 * Watches how long the event loop has been kept waiting. A bus in memory does all its work in microtasks: two handlers that answer each other
 * would otherwise starve every timer and socket of the process.
 */
export class Turn {
  readonly #clock: Clock;
  #startMs = 0;
  #isMarked = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the caller should let the event loop run before it goes on. */
  isOverdue(): boolean {
    if (this.#isMarked) return this.#clock.monotonicMs() - this.#startMs > turnMsMax;
    this.#isMarked = true;
    this.#startMs = this.#clock.monotonicMs();
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
