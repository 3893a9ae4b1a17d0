/** Time for cases that run in simulated time: it moves only when told, from timer to timer, and lets everything finish that each timer began. */
import type { Clock } from "@halyard/core/spi";

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

/** Turns of the event loop between two timers: enough for promise chains across core and an in-process broker. */
const turnsBetween = 5;

export class SimulatedClock implements Clock {
  #nowMs = 0;
  readonly #startMs = Date.now();
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return this.#startMs + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer: Timer = { dueMs: this.#nowMs + Math.max(0, delayMs), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await settle();
    for (let next = this.#earliest(); next !== undefined && next.dueMs <= endMs; next = this.#earliest()) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) if (earliest === undefined || timer.dueMs < earliest.dueMs) earliest = timer;
    return earliest;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < turnsBetween; turn++) await new Promise((resolve) => setImmediate(resolve));
}
