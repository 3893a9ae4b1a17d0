/**
 * What waits in one group: ten levels, strictly the highest first, first-in first-out within a level. A bit per level says where to look,
 * so that taking one costs the same however many levels are in use.
 */
import type { Entry } from "./entry.ts";
import { Ring } from "./ring.ts";

export const priorityLevels = 10;
const priorityDefault = 4;
const sequenceOf = (entry: Entry): number => entry.sequence;

export class PriorityQueue {
  readonly #levels: Ring<Entry>[] = Array.from({ length: priorityLevels }, () => new Ring<Entry>());
  #occupied = 0;
  #length = 0;
  #sequence = 0;

  get length(): number {
    return this.#length;
  }

  /** At the back of its level. */
  push(entry: Entry): void {
    entry.sequence = this.#sequence++;
    const level = levelOf(entry);
    this.#ring(level).push(entry);
    this.#occupied |= 1 << level;
    this.#length++;
  }

  shift(): Entry | undefined {
    if (this.#length === 0) return undefined;
    const level = 31 - Math.clz32(this.#occupied);
    const ring = this.#ring(level);
    const entry = ring.shift();
    if (ring.length === 0) this.#occupied &= ~(1 << level);
    this.#length--;
    return entry;
  }

  /** What was handed out and comes back: where it was in its level. */
  putBack(entry: Entry): void {
    const level = levelOf(entry);
    this.#ring(level).insert(entry, sequenceOf);
    this.#occupied |= 1 << level;
    this.#length++;
  }

  removeWhere(isRemoved: (entry: Entry) => boolean): Entry[] {
    const removed: Entry[] = [];
    for (let level = 0; level < priorityLevels; level++) {
      const ring = this.#ring(level);
      if (ring.length === 0) continue;
      for (const entry of ring.removeWhere(isRemoved)) removed.push(entry);
      if (ring.length === 0) this.#occupied &= ~(1 << level);
    }
    this.#length -= removed.length;
    return removed;
  }

  #ring(level: number): Ring<Entry> {
    // Always there: the constructor fills every level and `levelOf` returns no other.
    return this.#levels[level] as Ring<Entry>;
  }
}

/** Priorities come from other processes too: what is no level is the default one. */
function levelOf(entry: Entry): number {
  const priority = entry.message.priority;
  return priority >= 0 && priority < priorityLevels ? priority | 0 : priorityDefault;
}
