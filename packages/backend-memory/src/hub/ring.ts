/**
 * A double-ended queue in one array: no object per element, no shifting. Capacity is a power of two, so an index wraps by a mask. It doubles
 * when full and starts again small once it has run empty, so a burst does not keep its memory.
 */
const capacityMin = 16;
/** An empty ring above this capacity lets its array go. */
const capacityKept = 4_096;

export class Ring<Item> {
  #slots: (Item | undefined)[] = new Array(capacityMin).fill(undefined);
  #mask = capacityMin - 1;
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The element at that distance from the front. */
  at(index: number): Item | undefined {
    return index >= 0 && index < this.#length ? this.#slots[(this.#head + index) & this.#mask] : undefined;
  }

  push(item: Item): void {
    if (this.#length > this.#mask) this.#grow();
    this.#slots[(this.#head + this.#length) & this.#mask] = item;
    this.#length++;
  }

  shift(): Item | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length--;
    if (this.#length === 0 && this.#mask >= capacityKept) this.clear();
    return item;
  }

  /** Puts an item before the first one of a higher order. Searched from the front: what comes back was taken from there. */
  insert(item: Item, orderOf: (item: Item) => number): void {
    if (this.#length > this.#mask) this.#grow();
    const order = orderOf(item);
    this.#head = (this.#head - 1) & this.#mask;
    let index = 0;
    for (; index < this.#length; index++) {
      const next = this.#slots[(this.#head + index + 1) & this.#mask];
      if (next === undefined || orderOf(next) >= order) break;
      this.#slots[(this.#head + index) & this.#mask] = next;
    }
    this.#slots[(this.#head + index) & this.#mask] = item;
    this.#length++;
  }

  /** Takes out all that match, in order; the others keep theirs. */
  removeWhere(isRemoved: (item: Item) => boolean): Item[] {
    const removed: Item[] = [];
    const length = this.#length;
    for (let index = 0; index < length; index++) {
      const item = this.shift();
      if (item === undefined) break;
      if (isRemoved(item)) removed.push(item);
      else this.push(item);
    }
    return removed;
  }

  clear(): void {
    this.#slots = new Array(capacityMin).fill(undefined);
    this.#mask = capacityMin - 1;
    this.#head = 0;
    this.#length = 0;
  }

  #grow(): void {
    const slots = this.#slots;
    const grown = slots.slice(this.#head);
    for (let index = 0; index < this.#head; index++) grown.push(slots[index]);
    for (let index = slots.length; index > 0; index--) grown.push(undefined);
    this.#slots = grown;
    this.#mask = grown.length - 1;
    this.#head = 0;
  }
}
