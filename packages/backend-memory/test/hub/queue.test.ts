import fc from "fast-check";
import { expect, test } from "vitest";
import { Entry } from "../../src/hub/entry.ts";
import { PriorityQueue } from "../../src/hub/queue.ts";
import { wireMessage } from "../sample.ts";

const entryOf = (id: string, priority: number): Entry => new Entry(wireMessage(id, { priority }), undefined, 3, 0);

test("the highest priority goes first, and within one the first in", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 200, size: "max" }), (priorities) => {
      const queue = new PriorityQueue();
      const entries = priorities.map((priority, index) => entryOf(String(index), priority));
      for (const entry of entries) queue.push(entry);
      const sorted = [...entries].sort((a, b) => b.message.priority - a.message.priority || a.sequence - b.sequence);
      expect(Array.from({ length: entries.length }, () => queue.shift())).toEqual(sorted);
      expect([queue.length, queue.shift()]).toEqual([0, undefined]);
    }),
  );
});

test("what is taken out and put back in any order comes out in the order as if it had never left", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { minLength: 1, maxLength: 100, size: "max" }), fc.nat(100), fc.infiniteStream(fc.nat()), (priorities, count, keys) => {
      const queue = new PriorityQueue();
      const entries = priorities.map((priority, index) => entryOf(String(index), priority));
      for (const entry of entries) queue.push(entry);
      const expected = [...entries].sort((a, b) => b.message.priority - a.message.priority || a.sequence - b.sequence);
      const taken = Array.from({ length: Math.min(count, entries.length) }, () => queue.shift()).filter((entry) => entry !== undefined);
      const shuffled = taken.map((entry) => ({ entry, key: keys.next().value ?? 0 })).sort((a, b) => a.key - b.key);
      for (const { entry } of shuffled) queue.putBack(entry);
      expect(queue.length).toBe(entries.length);
      expect(Array.from({ length: entries.length }, () => queue.shift())).toEqual(expected);
    }),
  );
});

test("a priority from outside that is no level is taken for the default", () => {
  const queue = new PriorityQueue();
  for (const priority of [3, -1, 10, Number.NaN, 5]) queue.push(entryOf(String(priority), priority));
  expect(Array.from({ length: 5 }, () => queue.shift()?.message.id)).toEqual(["5", "-1", "10", "NaN", "3"]);
});

test("removal by condition takes from every level and keeps the order of the rest", () => {
  const queue = new PriorityQueue();
  for (let index = 0; index < 20; index++) queue.push(entryOf(String(index), index % 2 === 0 ? 9 : 0));
  const removed = queue.removeWhere((entry) => Number(entry.message.id) >= 10);
  expect([removed.length, queue.length]).toEqual([10, 10]);
  expect(Array.from({ length: 11 }, () => queue.shift()?.message.id)).toEqual(["0", "2", "4", "6", "8", "1", "3", "5", "7", "9", undefined]);
});
