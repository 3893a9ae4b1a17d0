import { parsePattern } from "@halyard/core/spi";
import { expect, it } from "vitest";
import { matching } from "../../src/scripts/matching.ts";
import { redisFixture } from "../redis-fixture.ts";

const redis = redisFixture();

const lua = `${matching}
local list, found = cjson.decode(ARGV[1]), {}
for i, pair in ipairs(list) do found[i] = matches(pair[1], pair[2], wordsOf(pair[2])) and 1 or 0 end
return found`;

it("decides as core does, for every kind of pattern", async () => {
  const { redis: beside } = redis.begin();
  let state = 11;
  const pick = (list: readonly string[]): string => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return list[Math.floor((state / 2 ** 32) * list.length)] ?? "a";
  };
  const words = (list: readonly string[]): string => Array.from({ length: Number(pick(["1", "2", "3", "4", "5"])) }, () => pick(list)).join(".");
  const pairs = Array.from({ length: 5_000 }, () => [words(["a", "b", "*", "#", "#"]), words(["a", "b", "c"])] as const);
  const found = (await beside.eval(lua, 0, JSON.stringify(pairs))) as number[];
  for (const [index, [pattern, topic]] of pairs.entries()) expect(found[index] === 1, `${pattern} ${topic}`).toBe(parsePattern(pattern).matches(topic));
});

it("takes no time over a hostile pattern", async () => {
  const { redis: beside } = redis.begin();
  const hostile = Array.from({ length: 8 }, () => "#.a").join(".");
  const topic = Array.from({ length: 15 }, () => "a").join(".");
  const startMs = performance.now();
  await beside.eval(lua, 0, JSON.stringify(Array.from({ length: 1_000 }, () => [hostile, `${topic}.b`])));
  expect(performance.now() - startMs).toBeLessThan(2_000);
});
