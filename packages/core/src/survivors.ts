/**
 * Brokers count hand-overs, not deaths: a cut connection and a restarted broker count as well. This process knows better about what it held
 * itself or gave back untried: it is still here, so those hand-overs were no crash. Bounded; forgetting only makes a message a suspect earlier, never condemns it.
 */
const idsMax = 10_000;

export class Survivors {
  readonly #hands = new Map<string, number>();

  /** This process held the message when the connection went, or gave it back, and lives. */
  note(id: string): void {
    const times = (this.#hands.get(id) ?? 0) + 1;
    this.#hands.delete(id);
    this.#hands.set(id, times);
    if (this.#hands.size <= idsMax) return;
    for (const oldest of this.#hands.keys()) {
      this.#hands.delete(oldest);
      return;
    }
  }

  /** Hand-overs of this message that this process is known to have survived. */
  of(id: string): number {
    return this.#hands.size === 0 ? 0 : (this.#hands.get(id) ?? 0);
  }

  /** Its copy was replaced by one that is counted from the start. */
  forget(id: string): void {
    this.#hands.delete(id);
  }
}
