import fc from "fast-check";
import { expect, test } from "vitest";
import { Ring } from "../../src/hub/ring.ts";

const identity = (item: number): number => item;

test("a ring behaves like an array under pushes, shifts and removals", () => {
  const command = fc.oneof(
    fc.record({ type: fc.constant("push" as const), item: fc.nat(1_000) }),
    fc.record({ type: fc.constant("shift" as const) }),
    fc.record({ type: fc.constant("removeOdd" as const) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 300, size: "max" }), (commands) => {
      const ring = new Ring<number>();
      let model: number[] = [];
      for (const command of commands) {
        if (command.type === "push") {
          ring.push(command.item);
          model.push(command.item);
        } else if (command.type === "shift") {
          expect(ring.shift()).toBe(model.shift());
        } else {
          expect(ring.removeWhere((item) => item % 2 === 1)).toEqual(model.filter((item) => item % 2 === 1));
          model = model.filter((item) => item % 2 === 0);
        }
        expect(ring.length).toBe(model.length);
        expect(ring.at(0)).toBe(model[0]);
        expect(ring.at(model.length - 1)).toBe(model.at(-1));
      }
    }),
  );
});

test("items inserted in any order lie in their order", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(10_000), { maxLength: 200, size: "max" }), fc.nat(200), (items, split) => {
      const waiting = items.slice(split).sort((a, b) => a - b);
      const ring = new Ring<number>();
      for (const item of waiting) ring.push(item);
      for (const item of items.slice(0, split)) ring.insert(item, identity);
      const out = Array.from({ length: ring.length }, () => ring.shift());
      expect(out).toEqual([...items].sort((a, b) => a - b));
    }),
  );
});

test("a burst does not keep its memory, and what comes after it is in order", () => {
  const ring = new Ring<number>();
  for (let item = 0; item < 100_000; item++) ring.push(item);
  for (let item = 0; item < 100_000; item++) expect(ring.shift()).toBe(item);
  ring.push(7);
  expect([ring.length, ring.shift(), ring.shift()]).toEqual([1, 7, undefined]);
});
