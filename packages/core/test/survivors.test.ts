import { expect, test } from "vitest";
import { Survivors } from "../src/survivors.ts";

test("counts what was survived, and forgets on demand", () => {
  const survivors = new Survivors();
  expect(survivors.of("a")).toBe(0);
  survivors.note("a");
  survivors.note("a");
  survivors.note("b");
  expect([survivors.of("a"), survivors.of("b"), survivors.of("c")]).toEqual([2, 1, 0]);
  survivors.forget("a");
  expect(survivors.of("a")).toBe(0);
});

test("holds 10,000 ids and lets go of those that were noted longest ago", () => {
  const survivors = new Survivors();
  survivors.note("often");
  for (let index = 0; index < 9_999; index++) survivors.note(`m${index}`);
  survivors.note("often");
  survivors.note("one more");
  expect([survivors.of("often"), survivors.of("m0"), survivors.of("m1")]).toEqual([2, 0, 1]);
});
