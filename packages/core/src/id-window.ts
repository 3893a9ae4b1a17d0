/**
 * Remembers ids for a while in bounded memory: two generations, the older one forgotten as a whole when the younger is full or old enough. An id
 * is known for at least `windowMs` unless more than `idsMax` others came in the meantime.
 */
import type { Clock } from "./clock.ts";

export class IdWindow {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #idsMax: number;
  #young = new Set<string>();
  #old = new Set<string>();
  #bornMs: number;

  constructor(clock: Clock, options: { readonly windowMs: number; readonly idsMax: number }) {
    this.#clock = clock;
    this.#windowMs = options.windowMs;
    this.#idsMax = options.idsMax;
    this.#bornMs = clock.monotonicMs();
  }

  has(id: string): boolean {
    this.#age();
    return this.#young.has(id) || this.#old.has(id);
  }

  add(id: string): void {
    this.#age();
    this.#young.add(id);
  }

  #age(): void {
    const nowMs = this.#clock.monotonicMs();
    const isOld = nowMs - this.#bornMs >= this.#windowMs;
    if (!isOld && this.#young.size < this.#idsMax) return;
    // After two windows without a call the younger generation is too old as well.
    this.#old = nowMs - this.#bornMs >= 2 * this.#windowMs ? new Set() : this.#young;
    this.#young = new Set();
    this.#bornMs = nowMs;
  }
}
