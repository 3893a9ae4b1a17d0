/**
 * Brokers count hand-overs, not deaths: a cut connection and a restarted broker count as well. This process knows better about what it held
 * itself or gave back untried: it is still here, so those hand-overs were no crash. Bounded; forgetting only makes a message a suspect earlier, never condemns it.
 *
 * Kept by the broker's own number of the hand-over: some brokers count what was given back, others hand it over again under the same number, and a copy
 * made for a retry begins with 1.
 */
const idsMax = 10_000;

interface Hands {
  /** The last hand-over that was survived. */
  readonly last: number;
  readonly times: number;
}

export class Survivors {
  readonly #hands = new Map<string, Hands>();
  #lostAtMs = Number.NEGATIVE_INFINITY;

  /** This process held the message when the connection went, or gave it back, and lives. `deliveries`: as the broker counted then. */
  note(id: string, deliveries: number): void {
    const known = this.#hands.get(id);
    const before = known === undefined || known.last > deliveries ? 0 : known.times;
    const times = known?.last === deliveries ? before : before + 1;
    this.#hands.delete(id);
    this.#hands.set(id, { last: deliveries, times });
    if (this.#hands.size <= idsMax) return;
    for (const oldest of this.#hands.keys()) {
      this.#hands.delete(oldest);
      return;
    }
  }

  /** Of so many hand-overs of this copy, those that this process is known to have survived. */
  of(id: string, deliveries: number): number {
    if (this.#hands.size === 0) return 0;
    const known = this.#hands.get(id);
    return known === undefined || known.last > deliveries ? 0 : known.times;
  }

  /** The connection broke, and not because this process stood still. By the wall clock, like what is written into messages. */
  noteLoss(nowMs: number): void {
    this.#lostAtMs = nowMs;
  }

  /** What ended our own connection since then may have ended those of others, who live as we do. */
  hasLostSince(timeMs: number): boolean {
    return this.#lostAtMs >= timeMs;
  }

  /** Its copy was replaced by one that is counted from the start. */
  forget(id: string): void {
    this.#hands.delete(id);
  }
}
