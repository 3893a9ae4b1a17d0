import fc from "fast-check";
import { expect, test } from "vitest";
import { Receipts } from "../../src/server/receipts.ts";

test("every number finds its receipt until it is settled, however long it is held and in whatever order others go", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat()), { maxLength: 2_000, size: "max" }), (steps) => {
      const receipts = new Receipts();
      const model = new Map<number, string>();
      for (const [isAdd, choice] of steps) {
        if (isAdd || model.size === 0) {
          model.set(receipts.next, `receipt ${receipts.next}`);
          receipts.add(`receipt ${receipts.next}`);
        } else {
          const number = [...model.keys()][choice % model.size] ?? 0;
          receipts.remove(number);
          model.delete(number);
          expect(receipts.get(number)).toBeUndefined();
        }
      }
      for (const [number, receipt] of model) expect(receipts.get(number)).toBe(receipt);
      expect(receipts.count).toBe(model.size);
    }),
    { numRuns: 100 },
  );
});

test("a receipt that is held while a hundred thousand others come and go is not forgotten", () => {
  const receipts = new Receipts();
  receipts.add("held");
  for (let index = 0; index < 100_000; index++) {
    receipts.add(index);
    receipts.remove(index + 2);
  }
  expect(receipts.get(1)).toBe("held");
  expect(receipts.count).toBe(1);
});

test("numbers that were never given, zero and negative ones among them, find nothing", () => {
  const receipts = new Receipts();
  receipts.add("one");
  for (const number of [0, -1, 2, 65, 1.5, Number.NaN]) expect(receipts.get(number)).toBeUndefined();
});
