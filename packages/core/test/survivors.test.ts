import { expect, test } from "vitest";
import { Survivors } from "../src/survivors.ts";

test("counts what was survived, and forgets on demand", () => {
  const survivors = new Survivors();
  expect(survivors.of("a", 1)).toBe(0);
  survivors.note("a", 1);
  survivors.note("a", 2);
  survivors.note("b", 1);
  expect([survivors.of("a", 3), survivors.of("b", 2), survivors.of("c", 1)]).toEqual([2, 1, 0]);
  survivors.forget("a");
  expect(survivors.of("a", 3)).toBe(0);
});

test("what a broker hands over again under the same number counts once: it hides no later death", () => {
  const survivors = new Survivors();
  for (let times = 0; times < 5; times++) survivors.note("a", 1);
  expect(survivors.of("a", 4)).toBe(1);
});

test("a new copy of the message is counted from the start", () => {
  const survivors = new Survivors();
  for (const deliveries of [1, 2, 3]) survivors.note("a", deliveries);
  expect(survivors.of("a", 1)).toBe(0);
  survivors.note("a", 1);
  expect(survivors.of("a", 2)).toBe(1);
});

test("holds 10,000 ids and lets go of those that were noted longest ago", () => {
  const survivors = new Survivors();
  survivors.note("often", 1);
  for (let index = 0; index < 9_999; index++) survivors.note(`m${index}`, 1);
  survivors.note("often", 2);
  survivors.note("one more", 1);
  expect([survivors.of("often", 3), survivors.of("m0", 2), survivors.of("m1", 2)]).toEqual([2, 0, 1]);
});
