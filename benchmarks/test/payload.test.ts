import { expect, test } from "vitest";
import { Ledger } from "../src/ledger.ts";
import { firstNumber, payloadFactory } from "../src/payload.ts";

test("the JSON of every payload has the stated size", () => {
  for (const bytes of [256, 1_024]) {
    const payload = payloadFactory(bytes);
    for (const index of [0, 1, 999_999, 89_999_999]) expect(Buffer.byteLength(JSON.stringify(payload(index)))).toBe(bytes);
  }
});

test("a size that is too small for the fields is refused", () => {
  expect(() => payloadFactory(20)).toThrow("20 is too little");
});

test("a ledger counts what came once, what came twice and what never came", () => {
  const ledger = new Ledger();
  for (const index of [0, 1, 3, 3, 4]) ledger.record(firstNumber + index);
  expect(ledger.totals()).toEqual({ handled: 4, duplicates: 1, missing: 1 });
});

test("a ledger grows with the numbers it is told", () => {
  const ledger = new Ledger();
  const far = 40_000_000;
  ledger.record(firstNumber);
  ledger.record(firstNumber + far);
  expect(ledger.totals()).toEqual({ handled: 2, duplicates: 0, missing: far - 1 });
});

test("a number that no message has is an error", () => {
  const ledger = new Ledger();
  expect(() => ledger.record(firstNumber - 1)).toThrow("not the number of a message");
  expect(() => ledger.record(Number.NaN)).toThrow("not the number of a message");
});
