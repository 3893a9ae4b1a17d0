/**
 * What becomes due later, earliest first, in one binary heap per hub: delayed copies of every group, delayed live messages, and the idle expiry
 * of groups. Due times are monotonic, so a step of the wall clock moves nothing. One heap for all groups makes "when next?" one read.
 */
import type { Entry } from "./entry.ts";
import type { Group } from "./group.ts";

export interface Due {
  /** Monotonic. */
  readonly dueMs: number;
  /** First in, first out among equals. */
  readonly order: number;
  /** A copy that becomes ready, or a group whose idle time is up. */
  readonly what: Entry | Group;
}

export class DueHeap {
  #heap: Due[] = [];
  #order = 0;

  get length(): number {
    return this.#heap.length;
  }

  /** `Infinity` when nothing waits. */
  get nextDueMs(): number {
    return this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  push(what: Entry | Group, dueMs: number): void {
    const due = { dueMs, order: this.#order++, what };
    this.#heap.push(due);
    siftUp(this.#heap, this.#heap.length - 1, due);
  }

  /** The earliest, if it is due. */
  take(nowMs: number): Entry | Group | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) siftDown(this.#heap, 0, last);
    return first.what;
  }

  /** Takes out all that match. Rare (a group removed, memory full), so it simply builds the heap again. */
  removeWhere<What extends Entry | Group>(isRemoved: (what: Entry | Group) => what is What): What[] {
    const removed: What[] = [];
    const kept: Due[] = [];
    for (const due of this.#heap) {
      if (isRemoved(due.what)) removed.push(due.what);
      else kept.push(due);
    }
    // Sorted ascending is a valid heap.
    if (removed.length > 0) this.#heap = kept.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    return removed;
  }
}

const isBefore = (a: Due, b: Due): boolean => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);

function siftUp(heap: Due[], from: number, due: Due): void {
  let index = from;
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex];
    if (parent === undefined || isBefore(parent, due)) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = due;
}

function siftDown(heap: Due[], from: number, due: Due): void {
  let index = from;
  for (;;) {
    let childIndex = 2 * index + 1;
    let child = heap[childIndex];
    const right = heap[childIndex + 1];
    if (child !== undefined && right !== undefined && isBefore(right, child)) {
      child = right;
      childIndex++;
    }
    if (child === undefined || isBefore(due, child)) break;
    heap[index] = child;
    index = childIndex;
  }
  heap[index] = due;
}
