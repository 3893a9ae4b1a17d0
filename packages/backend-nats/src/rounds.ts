/** Work that a session does again and again, one round at a time, with a pause after each: as long as said, give or take half, so that many sessions do not work in the same moment. */
import type { Clock } from "@halyard/core/spi";

export interface RoundsParts {
  readonly clock: Clock;
  readonly random: () => number;
  warn(error: unknown): void;
}

export class Rounds {
  readonly #parts: RoundsParts;
  readonly #pauseMs: number;
  readonly #work: () => Promise<unknown>;
  #isAtWork = false;
  #nextMs: number;

  constructor(parts: RoundsParts, pauseMs: number, work: () => Promise<unknown>) {
    this.#parts = parts;
    this.#pauseMs = pauseMs;
    this.#work = work;
    this.#nextMs = this.#afterPauseMs();
  }

  /** The next round comes at once, not after its pause. */
  hurry(): void {
    this.#nextMs = Math.min(this.#nextMs, this.#parts.clock.monotonicMs());
  }

  /** For the watch of the session. */
  watch(nowMs: number): void {
    if (this.#isAtWork || nowMs < this.#nextMs) return;
    this.#isAtWork = true;
    void this.#work()
      .catch(this.#parts.warn)
      .finally(() => {
        this.#isAtWork = false;
        this.#nextMs = this.#afterPauseMs();
      });
  }

  #afterPauseMs(): number {
    const { clock, random } = this.#parts;
    return clock.monotonicMs() + this.#pauseMs * (0.5 + random());
  }
}
