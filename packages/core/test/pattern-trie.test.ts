import fc from "fast-check";
import { expect, test } from "vitest";
import { parsePattern } from "../src/pattern.ts";
import { PatternTrie } from "../src/pattern-trie.ts";
import { obviouslyMatches, patternWords, topicWords } from "./pattern-cases.ts";

const value = fc.integer({ min: 0, max: 3 });
const patternText = patternWords.map((words) => words.join("."));

test("the trie agrees with a list of patterns that is searched one by one", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(patternText, value), { maxLength: 12 }), topicWords, (added, topic) => {
      const trie = new PatternTrie<number>();
      for (const [text, one] of added) trie.add(parsePattern(text), one);
      const expected = new Set(added.filter(([text]) => obviouslyMatches(text.split("."), topic)).map(([, one]) => one));
      expect(trie.match(topic.join("."))).toEqual(expected);
    }),
    { numRuns: 20_000 },
  );
});

test("the trie agrees with a list through any sequence of adding and removing", () => {
  const step = fc.tuple(fc.boolean(), fc.constantFrom("a", "a.#", "#.a", "a.*", "#", "*.#.b", "a.#.#"), value);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), topicWords, (steps, topic) => {
      const trie = new PatternTrie<number>();
      const list: [string, number][] = [];
      for (const [isAdding, text, one] of steps) {
        const index = list.findIndex(([otherText, other]) => otherText === text && other === one);
        if (isAdding) {
          trie.add(parsePattern(text), one);
          list.push([text, one]);
        } else {
          expect(trie.remove(parsePattern(text), one)).toBe(index >= 0);
          if (index >= 0) list.splice(index, 1);
        }
      }
      const expected = new Set(list.filter(([text]) => obviouslyMatches(text.split("."), topic)).map(([, one]) => one));
      expect(trie.match(topic.join("."))).toEqual(expected);
    }),
    { numRuns: 10_000 },
  );
});

test("hostile patterns cost nodes times words, not more", () => {
  const trie = new PatternTrie<number>();
  for (let index = 0; index < 100; index++)
    trie.add(parsePattern(Array.from({ length: 16 }, (_, at) => (at % 2 === 0 ? "#" : ["a", "*"][(index >> (at % 7)) & 1])).join(".")), index);
  const topic = Array(16).fill("a").join(".");
  const startMs = performance.now();
  for (let index = 0; index < 100; index++) expect(trie.match(topic).size).toBe(100);
  // Measured: 60 ms. Following each way by itself would never end.
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

test("a value that matches by two patterns is found once, and stays until both are gone", () => {
  const trie = new PatternTrie<string>();
  for (const text of ["a.*", "a.#"]) trie.add(parsePattern(text), "x");
  expect([...trie.match("a.b")]).toEqual(["x"]);
  trie.remove(parsePattern("a.*"), "x");
  expect([...trie.match("a.b")]).toEqual(["x"]);
  trie.remove(parsePattern("a.#"), "x");
  expect(trie.match("a.b").size).toBe(0);
});
