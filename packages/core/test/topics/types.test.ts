import { expect, test } from "vitest";
import { matchesWords } from "../../src/pattern.ts";
import { compile, sourceFolder } from "./compiler.ts";

/** The compiler shares two cores with everything else. */
const deadlineMs = 60_000;

test("the compiler agrees with the runtime matcher on which of 3,000 pairs of patterns meet", { timeout: deadlineMs }, () => {
  const random = numbersFrom(20_26);
  const topics = allTopics(["a", "b", "c"], 6);
  const lines = Array.from({ length: 3_000 }, (_, index) => {
    const [left, right] = [randomPattern(random), randomPattern(random)];
    const meet = topics.some((topic) => matchesWords(left, topic) && matchesWords(right, topic));
    return `export const pair${index}: PatternsMeet<"${left.join(".")}", "${right.join(".")}"> = ${meet};`;
  });
  expect(lines.filter((line) => line.endsWith("true;")).length).toBeGreaterThan(500);
  expect(lines.filter((line) => line.endsWith("false;")).length).toBeGreaterThan(500);
  expect(compile([`import type { PatternsMeet } from "${sourceFolder}pattern-types.ts";`, ...lines].join("\n")).output).toBe("");
});

test("200 topics and 50 subscriptions type-check quickly", { timeout: deadlineMs }, () => {
  const empty = compile(`import { defineTopics } from "${sourceFolder}define-topics.ts";\nexport const topics = defineTopics({});`);
  const full = compile(manyTopics(200, 50));
  expect(full.output).toBe("");
  // Measured: 470,000, which take about 0.3 s.
  expect(full.instantiations - empty.instantiations).toBeLessThan(1_000_000);
});

function manyTopics(topics: number, subscriptions: number): string {
  const areas = ["task", "agent", "metric", "audit", "order", "invoice", "user", "session", "report", "alert"];
  const keys = Array.from({ length: topics }, (_, index) => {
    const area = areas[index % areas.length];
    return `  "${area}.kind${index}.${index % 3 === 0 ? "*" : index % 3 === 1 ? "#" : "done.now"}": type<{ readonly field${index}: string }>(),`;
  });
  const patterns = Array.from({ length: subscriptions }, (_, index) => {
    const area = areas[index % areas.length];
    return [`${area}.#`, `${area}.*.done.*`, `*.kind${index}.#`, `#.now`, `${area}.#.now.#`][index % 5];
  });
  return `
import { defineTopics, type, type Topics } from "${sourceFolder}define-topics.ts";
import type { KnownPattern, PayloadMatching, PayloadOf, KnownTopic, TopicMap } from "${sourceFolder}topic-map.ts";
export const topics = defineTopics({
${keys.join("\n")}
});
interface Bus<Map extends TopicMap> {
  publish<const Topic extends string>(topic: KnownTopic<Map, Topic>, payload: PayloadOf<Map, Topic>): void;
  subscribe<const Pattern extends string | readonly string[]>(pattern: KnownPattern<Map, Pattern>, handler: (payload: PayloadMatching<Map, Pattern>) => void): void;
}
declare function busOf<Map extends TopicMap>(topics: Topics<Map>): Bus<Map>;
const bus = busOf(topics);
${patterns.map((pattern) => `bus.subscribe("${pattern}", (payload) => { void payload; });`).join("\n")}
${Array.from({ length: subscriptions }, (_, index) => `bus.publish("${areas[(index * 3) % 10]}.kind${index * 3}.x", { field${index * 3}: "x" });`)
  .filter((_, index) => (index * 3) % 3 === 0)
  .join("\n")}
`;
}

function randomPattern(random: () => number): string[] {
  const words = ["a", "b", "*", "#"];
  return Array.from({ length: 1 + Math.floor(random() * 4) }, () => words[Math.floor(random() * words.length)] as string);
}

function allTopics(words: readonly string[], wordsMax: number): string[][] {
  const topics: string[][] = words.map((word) => [word]);
  for (const topic of topics) if (topic.length < wordsMax) topics.push(...words.map((word) => [...topic, word]));
  return topics;
}

/** A small generator with a seed (mulberry32), so that a failure comes back. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
