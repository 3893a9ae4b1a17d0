/**
 * What time it is on the server. Messages carry the time at which the server stored them, so delays count by its clock; ours may be off. A small message is
 * stored and read back: the server's time then lies between our two readings. The estimate is the latest moment that is certainly not ahead of the server,
 * so nothing is ever early; it is behind by one round trip at most, plus what two clocks drift apart between two looks.
 */
import type { Clock } from "@halyard/core/spi";

/** Two quartz clocks drift apart by up to 100 ms in this time. */
export const lookAgainMs = 600_000;

export class ServerClock {
  readonly #clock: Clock;
  #serverMs: number | undefined;
  #ownMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A message was stored at `storedMs` by the server's clock, and that was known at `ownMs` by our monotonic one. */
  note(storedMs: number, ownMs: number): void {
    this.#serverMs = storedMs;
    this.#ownMs = ownMs;
  }

  /** `undefined` before the first look. */
  nowMs(): number | undefined {
    return this.#serverMs === undefined ? undefined : this.#serverMs + (this.#clock.monotonicMs() - this.#ownMs);
  }

  get isOld(): boolean {
    return this.#serverMs === undefined || this.#clock.monotonicMs() - this.#ownMs > lookAgainMs;
  }
}
