/** Flights between two runs in place: each waits for its delay, and then for a free handler, before anything of the backlog. */
import type { Clock } from "./clock.ts";
import type { Flight } from "./flight.ts";

export class InPlace {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  /** With what cancels the timer. */
  readonly #pausing = new Map<Flight, () => void>();
  #due: Flight[] = [];

  /** `onDue`: one may run again. */
  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Those that wait for nothing but a handler. */
  get due(): number {
    return this.#due.length;
  }

  pause(flight: Flight, delayMs: number): void {
    const cancel = this.#clock.after(delayMs, () => {
      this.#pausing.delete(flight);
      this.#due.push(flight);
      this.#onDue();
    });
    this.#pausing.set(flight, cancel);
  }

  cancelPause(flight: Flight): void {
    this.#pausing.get(flight)?.();
    this.#pausing.delete(flight);
  }

  /** The next one that may run. */
  take(): Flight | undefined {
    return this.#due.length > 0 ? this.#due.shift() : undefined;
  }

  /** All of them; none comes due any more. */
  takeAll(): readonly Flight[] {
    const all = [...this.#due, ...this.#pausing.keys()];
    for (const cancel of this.#pausing.values()) cancel();
    this.#pausing.clear();
    this.#due = [];
    return all;
  }

  /** Forgets those that wait for a handler; those that wait for their delay go on. */
  dropDue(): void {
    this.#due = [];
  }
}
