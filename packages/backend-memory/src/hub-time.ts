/**
 * The time of one hub that several sessions share, each with a clock of its host: read from one of them at a time. When the session that lent it
 * ends, another's clock goes on where it stopped, whatever its origin: due times in the hub stay right.
 */
import type { Clock } from "@halyard/core/spi";
import type { Now } from "./hub/commands.ts";

export class HubTime {
  /** Clocks of the living sessions, oldest first; the same clock may be there several times. */
  readonly #clocks: Clock[] = [];
  #clock: Clock;
  #offsetMs = 0;
  /** One object for all readings: it is read at once and never kept. */
  readonly #now = { wallMs: 0, monotonicMs: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get clock(): Clock {
    return this.#clock;
  }

  now(): Now {
    this.#now.wallMs = this.#clock.nowMs();
    this.#now.monotonicMs = this.#clock.monotonicMs() + this.#offsetMs;
    return this.#now;
  }

  add(clock: Clock): void {
    this.#clocks.push(clock);
    // Nobody lives but the newcomer: the clock of a session that has ended may have stopped with its bus.
    if (this.#clocks.length === 1) this.#use(clock);
  }

  /** True when another clock is used from now on: timers have to be set anew. */
  remove(clock: Clock): boolean {
    const index = this.#clocks.indexOf(clock);
    if (index >= 0) this.#clocks.splice(index, 1);
    const next = this.#clocks[0];
    if (next === undefined || this.#clocks.includes(this.#clock)) return false;
    this.#use(next);
    return true;
  }

  #use(clock: Clock): void {
    if (clock === this.#clock) return;
    this.#offsetMs += this.#clock.monotonicMs() - clock.monotonicMs();
    this.#clock = clock;
  }
}
