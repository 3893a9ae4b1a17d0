/**
 * A clock that stands still until it is told to go on: retries, time-outs, delays and TTLs of a whole bus run in simulated time, in milliseconds of real
 * time, and the same way every time.
 *
 * Timers fire in the order in which they are due, those due at the same moment in the order in which they were set. Between two of them the event loop
 * turns a few times, so that what a timer started (promises, `setImmediate`) gets as far as it can before time goes on. Work that needs the real
 * world, such as sockets and files, does not fit into a turn: a bus over a network is tested with the system clock.
 */
import { type Clock, HalyardError } from "@halyard/core/spi";

export interface ManualClock extends Clock {
  /**
   * Lets time pass: fires what falls due until then, what those timers set included. Resolves when that and all it started has come to rest; rejects
   * with what a timer threw. Calls follow one another; a timer must not await one.
   */
  advance(durationMs: number): Promise<void>;
  /** Moves the wall clock alone, as an administrator or a time server does. Timers and `monotonicMs` do not notice. */
  stepWallClock(byMs: number): void;
  /** Timers that are set. */
  readonly timers: number;
  /** Until the next timer is due; `undefined` where none is set. */
  readonly nextTimerMs: number | undefined;
}

export interface ManualClockOptions {
  /** Wall clock at the start, milliseconds since 1970. Default 2026-01-01T00:00:00Z. */
  readonly startMs?: number;
}

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

const startMsDefault = Date.UTC(2026, 0, 1);
/** Turns of the event loop between two moments. A message takes up to four from a retry timer to its handler; more cost 1 µs each. */
const turnsPerMoment = 6;
/** Timers that one `advance` may fire: two that set each other off at once would otherwise never let it end. */
const timersMax = 1_000_000;

/**
 * @example
 * const clock = manualClock();
 * const bus = await createBus({ backend: memory(), clock });
 * await clock.advance(30_000);
 */
export function manualClock(options: ManualClockOptions = {}): ManualClock {
  const timers: Timer[] = [];
  let wallMs = options.startMs ?? startMsDefault;
  let elapsedMs = 0;
  let lastAdvance: Promise<void> = Promise.resolve();

  const moveTo = (momentMs: number): void => {
    wallMs += momentMs - elapsedMs;
    elapsedMs = momentMs;
  };

  const run = async (durationMs: number): Promise<void> => {
    await rest();
    const endMs = elapsedMs + durationMs;
    for (let fired = 0; ; fired++) {
      const [timer] = timers;
      if (timer === undefined || timer.dueMs > endMs) break;
      if (fired === timersMax)
        throw new HalyardError("TIMEOUT", `Advancing by ${durationMs} ms fired ${timersMax} timers: something sets a timer again without end.`);
      timers.shift();
      moveTo(Math.max(elapsedMs, timer.dueMs));
      timer.run();
      await rest();
    }
    moveTo(endMs);
  };

  return {
    nowMs: () => wallMs,
    monotonicMs: () => elapsedMs,
    after(delayMs, callback) {
      const timer: Timer = { dueMs: elapsedMs + Math.max(0, delayMs), run: callback };
      timers.splice(placeOf(timers, timer.dueMs), 0, timer);
      return () => {
        const index = timers.indexOf(timer);
        if (index >= 0) timers.splice(index, 1);
      };
    },
    advance(durationMs) {
      if (!(durationMs >= 0)) throw new HalyardError("INVALID_OPTIONS", `Time goes forward only: advance takes 0 or more milliseconds, not ${durationMs}.`);
      const advance = lastAdvance.then(() => run(durationMs));
      lastAdvance = advance.catch(() => undefined); // its caller hears of it; the next one starts anew
      return advance;
    },
    stepWallClock(byMs) {
      wallMs += byMs;
    },
    get timers() {
      return timers.length;
    },
    get nextTimerMs() {
      return timers[0] === undefined ? undefined : timers[0].dueMs - elapsedMs;
    },
  };
}

/** Behind all timers that are due at the same moment or earlier. */
function placeOf(timers: readonly Timer[], dueMs: number): number {
  let low = 0;
  let high = timers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((timers[middle] as Timer).dueMs <= dueMs)
      low = middle + 1; // middle < length
    else high = middle;
  }
  return low;
}

/** Lets the event loop turn: each turn runs all microtasks, then what `setImmediate` asked for. */
export async function rest(turns: number = turnsPerMoment): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
