import fc from "fast-check";
import { expect, test } from "vitest";
import { DueHeap } from "../../src/hub/delayed.ts";
import { Entry } from "../../src/hub/entry.ts";
import { wireMessage } from "../sample.ts";

test("entries come when they are due, earliest first, and equals in the order in which they were put in", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 200, size: "max" }), fc.nat(20), fc.boolean(), (dues, nowMs, hasRemoval) => {
      const heap = new DueHeap();
      let model = dues.map((dueMs, index) => ({ dueMs, index, entry: new Entry(wireMessage(String(index)), undefined, 0, 0) }));
      for (const { entry, dueMs } of model) heap.push(entry, dueMs);
      if (hasRemoval) {
        const isThird = (index: number): boolean => index % 3 === 0;
        const removed = heap.removeWhere((what): what is Entry => what instanceof Entry && isThird(Number(what.message.id)));
        expect(removed.length).toBe(model.filter(({ index }) => isThird(index)).length);
        model = model.filter(({ index }) => !isThird(index));
      }
      const expected = model.filter(({ dueMs }) => dueMs <= nowMs).sort((a, b) => a.dueMs - b.dueMs || a.index - b.index);
      for (const { entry } of expected) expect(heap.take(nowMs)).toBe(entry);
      expect(heap.take(nowMs)).toBe(undefined);
      expect(heap.length).toBe(model.length - expected.length);
      expect(heap.nextDueMs).toBe(Math.min(Number.POSITIVE_INFINITY, ...model.map(({ dueMs }) => dueMs).filter((dueMs) => dueMs > nowMs)));
    }),
  );
});
