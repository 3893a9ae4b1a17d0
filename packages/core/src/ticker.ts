/**
 * One coarse timer for all deadlines of a bus. A timer per publish and per handler would cost more than the publish (0.26 µs measured);
 * instead whoever has something with a deadline is asked every `tickMs` to look for what has passed. Deadlines are thus up to one tick late,
 * never early. Nobody waiting: no timer.
 */
import type { Clock } from "./clock.ts";

export const tickMs = 50;

/** A tick so late means that something kept the process from running: long enough to end a connection that nobody kept alive. */
const stallMsMin = 1_000;
/** What a stall has broken is noticed within so long after it. */
const aftermathMs = 1_000;

/** Looks for what has passed; returns whether it still has anything to watch. */
export type Watch = (nowMs: number) => boolean;

export class Ticker {
  readonly #clock: Clock;
  readonly #watches = new Set<Watch>();
  #cancel: (() => void) | undefined;
  /** When the next tick should come. */
  #dueMs = 0;
  #stallEndMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks `watch` at every tick from now on, until it returns false. Adding it again is harmless. `sinceMs`: when that began which it watches. */
  add(watch: Watch, sinceMs?: number): void {
    this.#watches.add(watch);
    if (this.#cancel === undefined) this.#plan(sinceMs ?? this.#clock.monotonicMs());
  }

  /** Whether the process stood still for a second or more just now, as far as anybody watched. */
  hasJustStalled(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const isStillLate = this.#cancel !== undefined && nowMs - this.#dueMs >= stallMsMin;
    return isStillLate || nowMs - this.#stallEndMs < aftermathMs;
  }

  /** Somebody has kept the process from running that long, until now. */
  noteSpan(fromMs: number, untilMs: number): void {
    if (untilMs - fromMs >= stallMsMin) this.#stallEndMs = untilMs;
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#watches.clear();
  }

  readonly #tick = (): void => {
    this.#cancel = undefined;
    const nowMs = this.#clock.monotonicMs();
    this.noteSpan(this.#dueMs, nowMs);
    for (const watch of [...this.#watches]) if (!watch(nowMs)) this.#watches.delete(watch);
    if (this.#watches.size > 0 && this.#cancel === undefined) this.#plan(nowMs);
  };

  #plan(nowMs: number): void {
    this.#dueMs = nowMs + tickMs;
    this.#cancel = this.#clock.after(tickMs, this.#tick);
  }
}
