import { expect, test } from "vitest";
import { deepFreeze } from "../src/freeze.ts";

test("plain objects and arrays are frozen on all levels, others are left alone", () => {
  class Own {
    inside = { n: 1 };
  }
  const bare = Object.assign(Object.create(null) as object, { deep: { n: 1 } });
  const payload = { list: [{ n: 1 }], bare, own: new Own(), map: new Map(), bytes: new Uint8Array(2) };
  expect(deepFreeze(payload)).toBe(payload);
  for (const frozen of [payload, payload.list, payload.list[0], bare, bare.deep]) expect(Object.isFrozen(frozen)).toBe(true);
  for (const free of [payload.own, payload.own.inside, payload.map]) expect(Object.isFrozen(free)).toBe(false);
});

test("cycles and very deep nesting are taken", () => {
  const cycle: { self?: object } = {};
  cycle.self = cycle;
  expect(Object.isFrozen(deepFreeze(cycle))).toBe(true);
  let deep: object = {};
  const innermost = deep;
  for (let level = 0; level < 100_000; level++) deep = { deep };
  deepFreeze(deep);
  expect(Object.isFrozen(innermost)).toBe(true);
});

test.for([undefined, null, 1, "text", Symbol.iterator])("%s stays as it is", (value) => {
  expect(deepFreeze(value)).toBe(value);
});
