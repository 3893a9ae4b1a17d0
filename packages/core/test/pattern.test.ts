import fc from "fast-check";
import { expect, test } from "vitest";
import { matchesWords, parsePattern } from "../src/pattern.ts";
import { obviouslyMatches, patternWords, topicWords } from "./pattern-cases.ts";

test("matching agrees with the definition of AMQP patterns", () => {
  fc.assert(
    fc.property(patternWords, topicWords, (pattern, topic) => {
      const expected = obviouslyMatches(pattern, topic);
      expect(matchesWords(pattern, topic)).toBe(expected);
      expect(parsePattern(pattern.join(".")).matches(topic.join("."))).toBe(expected);
    }),
    { numRuns: 50_000 },
  );
});

test.for([
  ["a.b", "a.b", true],
  ["a.b", "a.bc", false],
  ["a.*", "a.b", true],
  ["a.*", "a", false],
  ["a.*", "a.b.c", false],
  ["a.#", "a", true],
  ["a.#", "a.b.c", true],
  ["#", "a.b.c", true],
  ["#.c", "c", true],
  ["a.#.c", "a.c", true],
  ["a.#.c", "a.b.b.c", true],
  ["a.#.c", "a.b", false],
  ["*.#", "a", true],
  ["#.*", "a", true],
  ["#.#", "a", true],
  ["*", "a.b", false],
  ["A", "a", false],
] as const)("%s on %s: %s", ([pattern, topic, expected]) => {
  expect(parsePattern(pattern).matches(topic)).toBe(expected);
});

test("a hostile pattern against a hostile topic costs no more than any other of its length", () => {
  const pattern = parsePattern(Array(8).fill("#.a").join("."));
  const topic = `${Array(15).fill("a").join(".")}.b`;
  const startMs = performance.now();
  for (let index = 0; index < 10_000; index++) expect(pattern.matches(topic)).toBe(false);
  // Measured: 30 ms. Backtracking takes minutes for one.
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

test("only a pattern without wildcards is literal", () => {
  expect(["a.b", "a.*", "a.#", "*"].map((text) => parsePattern(text).isLiteral)).toEqual([true, false, false, false]);
  expect(parsePattern("a.*.#").words).toEqual(["a", "*", "#"]);
});

test.for(["", ".", "a.", "a..b", "a*", "*a", "a.**", "##", "a.#b", "a b", "a\n", "é.*", "a".repeat(256), Array(17).fill("*").join(".")])(
  "%j is no pattern",
  (text) => {
    expect(() => parsePattern(text)).toThrow(expect.objectContaining({ code: "INVALID_PATTERN" }));
  },
);

test("what is not even a string is no pattern", () => {
  for (const value of [undefined, null, 1, {}, ["#"]])
    expect(() => parsePattern(value as string)).toThrow(expect.objectContaining({ code: "INVALID_PATTERN" }));
});
