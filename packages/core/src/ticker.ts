/**
 * One coarse timer for all deadlines of a bus. A timer per publish and per handler would cost more than the publish (0.26 µs measured);
 * instead whoever has something with a deadline is asked every `tickMs` to look for what has passed. Deadlines are thus up to one tick late,
 * never early. Nobody waiting: no timer.
 */
import type { Clock } from "./clock.ts";

export const tickMs = 50;

/** Looks for what has passed; returns whether it still has anything to watch. */
export type Watch = (nowMs: number) => boolean;

export class Ticker {
  readonly #clock: Clock;
  readonly #watches = new Set<Watch>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks `watch` at every tick from now on, until it returns false. Adding it again is harmless. */
  add(watch: Watch): void {
    this.#watches.add(watch);
    this.#cancel ??= this.#clock.after(tickMs, this.#tick);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#watches.clear();
  }

  readonly #tick = (): void => {
    this.#cancel = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (const watch of [...this.#watches]) if (!watch(nowMs)) this.#watches.delete(watch);
    if (this.#watches.size > 0) this.#cancel ??= this.#clock.after(tickMs, this.#tick);
  };
}
