import { parsePattern, type TopicPattern } from "@halyard/core/spi";
import { describe, expect, it } from "vitest";
import { collide, coverOf, covers, filtersOf, takes, textOf, widest } from "../src/filters.ts";

const texts = (pattern: string): readonly string[] => filtersOf(parsePattern(pattern)).map(textOf);
const words = (text: string): readonly string[] => text.split(".");

/** The same numbers in every run, so that a failure can be repeated. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

function pick<Value>(random: () => number, values: readonly Value[]): Value {
  return values[Math.floor(random() * values.length)] as Value; // random is below 1
}

const patternOf = (random: () => number): TopicPattern =>
  parsePattern(Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(random, ["a", "b", "*", "#"])).join("."));
const topicOf = (random: () => number): string => Array.from({ length: 1 + Math.floor(random() * 5) }, () => pick(random, ["a", "b", "c"])).join(".");

describe("filters", () => {
  it("are the pattern itself where it has no #", () => {
    expect(texts("task.*.high")).toEqual(["task.*.high"]);
  });

  it("are two for a # at the end, since > takes at least one word", () => {
    expect(texts("a.#")).toEqual(["a", "a.>"]);
    expect(texts("a.*.#")).toEqual(["a.*", "a.*.>"]);
    expect(texts("a.#.#")).toEqual(["a", "a.>"]);
  });

  it("are one for what takes everything", () => {
    for (const pattern of ["#", "#.#", "*.#"]) expect(texts(pattern)).toEqual([">"]);
  });

  it("are wider than the pattern only where a # stands inside", () => {
    expect(texts("a.#.c")).toEqual(["a.>"]);
    expect(texts("a.#.b.c")).toEqual(["a.*.>"]);
    expect(texts("#.c")).toEqual([">"]);
    expect(filtersOf(parsePattern("a.#.c")).every(({ isExact }) => !isExact)).toBe(true);
    expect(filtersOf(parsePattern("a.#.*"))).toEqual([{ words: ["a", ">"], isExact: true }]);
  });

  it("take all that the pattern matches, and no more where they are exact", () => {
    const random = numbersFrom(1);
    for (let round = 0; round < 20_000; round++) {
      const pattern = patternOf(random);
      const topic = topicOf(random);
      const filters = filtersOf(pattern);
      const isTaken = filters.some((filter) => takes(filter.words, words(topic)));
      if (pattern.matches(topic)) expect(isTaken, `${pattern.text} ${topic}`).toBe(true);
      else if (filters.every(({ isExact }) => isExact)) expect(isTaken, `${pattern.text} ${topic}`).toBe(false);
    }
  });

  it("cover takes what all of them take, with none to spare", () => {
    const random = numbersFrom(2);
    for (let round = 0; round < 5_000; round++) {
      const all = Array.from({ length: 1 + Math.floor(random() * 4) }, () => patternOf(random)).flatMap(filtersOf);
      const cover = coverOf(all);
      for (const one of cover) expect(cover.filter((other) => other !== one && covers(other.words, one.words))).toEqual([]);
      for (let time = 0; time < 5; time++) {
        const topic = words(topicOf(random));
        expect(cover.some((filter) => takes(filter.words, topic))).toBe(all.some((filter) => takes(filter.words, topic)));
      }
    }
  });

  it("collide exactly where some topic passes both", () => {
    const random = numbersFrom(3);
    const topics = Array.from({ length: 400 }, () => words(topicOf(random)));
    for (let round = 0; round < 2_000; round++) {
      const [left = [], right = []] = [pick(random, filtersOf(patternOf(random))).words, pick(random, filtersOf(patternOf(random))).words];
      const found = topics.some((topic) => takes(left, topic) && takes(right, topic));
      if (found) expect(collide(left, right), `${left.join(".")} ${right.join(".")}`).toBe(true);
      expect(collide(left, right)).toBe(collide(right, left));
    }
    expect(collide(["a", "*"], ["*", "b"])).toBe(true);
    expect(collide(["a"], ["a", ">"])).toBe(false);
    expect(collide(["a", "b"], ["a", "c"])).toBe(false);
  });

  it("have one that takes at least what all of them take", () => {
    const random = numbersFrom(4);
    for (let round = 0; round < 2_000; round++) {
      const all = Array.from({ length: 1 + Math.floor(random() * 4) }, () => patternOf(random)).flatMap(filtersOf);
      const wide = widest(all);
      for (const { words: one } of all) expect(covers(wide.words, one), `${textOf(wide)} ${one.join(".")}`).toBe(true);
    }
  });
});
