/** Promise 7: backoff with the same numbers everywhere; what cannot get better is not retried. */
import assert from "node:assert/strict";
import { nonRetryable, type RetryPolicy } from "@halyard/core";
import type { ConformanceCase } from "../case.ts";
import { recorder } from "../recorder.ts";
import type { World } from "../world.ts";

/** Lets one message fail until it is dead, and returns the times between its runs. */
async function gapsMs(world: World, retry: RetryPolicy): Promise<readonly number[]> {
  const bus = await world.bus();
  const timesMs: number[] = [];
  await bus.subscribe("b.#", { group: "g", retry }, () => {
    timesMs.push(world.clock.monotonicMs());
    throw new Error("always");
  });
  await bus.publish("b.one", 1);
  const isTimed = world.abilities.hasHostClock && world.graceMs === 0;
  await world.until(async () => {
    if (isTimed) await world.advance(20);
    return timesMs.length === retry.attemptsMax;
  }, "all attempts were made");
  return timesMs.slice(1).map((timeMs, index) => timeMs - (timesMs[index] ?? 0));
}

export const backoffCases: readonly ConformanceCase[] = [
  {
    promise: 7,
    title: "delays grow by their factor up to their bound, and never fall short",
    kind: "normal",
    async run(world) {
      const gaps = await gapsMs(world, { attemptsMax: 5, delayMs: 40, factor: 2, delayMsMax: 160, jitter: 0.5 });
      for (const [index, leastMs] of [40, 80, 160, 160].entries()) {
        assert.ok((gaps[index] ?? 0) >= leastMs - world.graceMs, `delay ${index + 1} was ${gaps[index]} ms, at least ${leastMs} were due`);
      }
    },
  },
  {
    promise: 7,
    title: "in simulated time the delays are exact",
    kind: "limit",
    isTimed: true,
    twin: "delays grow by their factor up to their bound, and never fall short",
    async run(world) {
      const gaps = await gapsMs(world, { attemptsMax: 5, delayMs: 40, factor: 2, delayMsMax: 160, jitter: 0 });
      for (const [index, leastMs] of [40, 80, 160, 160].entries()) {
        assert.ok((gaps[index] ?? 0) >= leastMs, `delay ${index + 1} was ${gaps[index]} ms, ${leastMs} were due`);
        assert.ok((gaps[index] ?? 0) <= leastMs + 20, `delay ${index + 1} was ${gaps[index]} ms, ${leastMs} were due`);
      }
    },
  },
  {
    promise: 7,
    title: "nonRetryable dead-letters at once",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder(() => {
        throw nonRetryable(new Error("no such customer"));
      });
      await bus.subscribe("b.#", { group: "g" }, inbox.handle);
      await bus.publish("b.one", 1, { id: "m" });
      await world.until(async () => (await bus.deadLetters("g").count()) === 1, "the letter is there");
      const letter = await bus.deadLetters("g").get("m");
      assert.equal(letter?.reason, "non-retryable");
      assert.equal(letter?.error?.message, "no such customer");
      assert.equal(inbox.seen.length, 1);
    },
  },
  {
    promise: 7,
    title: "the policy decides by error, and a message's own attemptsMax wins",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder(({ payload }) => {
        throw new Error(String(payload));
      });
      const decide: RetryPolicy["decide"] = (error) => ((error as Error).message === "hopeless" ? "dead-letter" : { delayMs: 5 });
      await bus.subscribe("b.#", { group: "g", retry: { attemptsMax: 3, delayMs: 600_000, decide } }, inbox.handle);
      await bus.publish("b.one", "hopeless");
      await bus.publish("b.one", "often", { attemptsMax: 5 });
      await bus.publish("b.one", "normal");
      await world.until(async () => (await bus.deadLetters("g").count()) === 3, "all three are dead");
      const times = (text: string): number => inbox.payloads().filter((payload) => payload === text).length;
      assert.deepEqual([times("hopeless"), times("often"), times("normal")], [1, 5, 3]);
    },
  },
];
