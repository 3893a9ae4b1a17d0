/**
 * Receipts on the wire are numbers, counted up per subscription; here each finds the backend's own receipt again. Almost all are settled soon and
 * in order, so they lie in a ring; the few that are held while the ring comes round once move to a map.
 */
const slotsMin = 64;

export class Receipts {
  #numbers = new Float64Array(slotsMin);
  #receipts: unknown[] = new Array(slotsMin).fill(undefined);
  readonly #held = new Map<number, unknown>();
  #next = 1;
  #count = 0;

  /** How many are not settled. */
  get count(): number {
    return this.#count;
  }

  /** The number that the next receipt will get. */
  get next(): number {
    return this.#next;
  }

  add(receipt: unknown): void {
    if (this.#count >= this.#numbers.length / 2) this.#grow();
    const number = this.#next++;
    const slot = number & (this.#numbers.length - 1);
    const old = this.#numbers[slot] ?? 0;
    if (old !== 0) this.#held.set(old, this.#receipts[slot]);
    this.#numbers[slot] = number;
    this.#receipts[slot] = receipt;
    this.#count++;
  }

  get(number: number): unknown {
    const slot = number & (this.#numbers.length - 1);
    return this.#numbers[slot] === number && number > 0 ? this.#receipts[slot] : this.#held.get(number);
  }

  remove(number: number): void {
    const slot = number & (this.#numbers.length - 1);
    if (this.#numbers[slot] === number && number > 0) {
      this.#numbers[slot] = 0;
      this.#receipts[slot] = undefined;
      this.#count--;
    } else if (this.#held.delete(number)) this.#count--;
  }

  #grow(): void {
    const numbers = this.#numbers;
    const receipts = this.#receipts;
    this.#numbers = new Float64Array(numbers.length * 2);
    this.#receipts = new Array(numbers.length * 2).fill(undefined);
    for (const [index, number] of numbers.entries()) {
      if (number === 0) continue;
      const slot = number & (this.#numbers.length - 1);
      this.#numbers[slot] = number;
      this.#receipts[slot] = receipts[index];
    }
  }
}
