import { expect, test } from "vitest";
import { topicMatcher } from "../src/matcher.ts";
import { parsePattern } from "../src/pattern.ts";

test.for([["few patterns", 2] as const, ["many patterns", 20] as const])("%s: any of them, the same answer every time", ([, count]) => {
  const texts = ["a.*", "b.#", ...Array.from({ length: count }, (_, index) => `only${index}`)];
  const matches = topicMatcher(texts.map(parsePattern));
  for (let round = 0; round < 3; round++) {
    expect(["a.x", "b", "b.c.d", "only0"].every(matches)).toBe(true);
    expect(["a", "a.x.y", "c", "only99"].some(matches)).toBe(false);
  }
});

test("more topics than it remembers change no answer", () => {
  const matches = topicMatcher([parsePattern("a.*")]);
  for (let index = 0; index < 3_000; index++) {
    expect(matches(`a.t${index}`)).toBe(true);
    expect(matches(`b.t${index}`)).toBe(false);
  }
  expect(matches("a.t0")).toBe(true);
});
