/** Promise 4: a group keeps its messages while nobody listens, and through a restart of a durable broker. */
import assert from "node:assert/strict";
import { type ConformanceCase, firstReason } from "../case.ts";
import { numbers, recorder } from "../recorder.ts";

export const keepingCases: readonly ConformanceCase[] = [
  {
    promise: 4,
    title: "a group keeps what is published while it has no member",
    kind: "normal",
    async run(world) {
      const publisher = await world.bus();
      const first = await world.bus();
      await first.subscribe("keep.#", { group: "g" }, () => undefined);
      await first.close();
      await Promise.all(numbers(1_000).map((index) => publisher.publish("keep.one", index)));
      const second = await world.bus();
      const inbox = recorder();
      await second.subscribe("keep.#", { group: "g", concurrency: 50 }, inbox.handle);
      await world.until(() => inbox.seen.length >= 1_000, "all 1,000 are kept");
      assert.equal(new Set(inbox.payloads()).size, 1_000);
    },
  },
  {
    promise: 4,
    title: "a group that was defined and never subscribed keeps messages too",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      await bus.publish("keep.one", "before");
      await bus.groups.define("g", { add: ["keep.#"] });
      await bus.publish("keep.one", "after");
      const inbox = recorder();
      await bus.subscribe("keep.#", { group: "g" }, inbox.handle);
      await bus.publish("keep.one", "end");
      await world.until(() => inbox.payloads().includes("end"), "the last one arrives");
      assert.deepEqual(inbox.payloads(), ["after", "end"]);
    },
  },
  {
    promise: 4,
    title: "messages, retries and dead letters of a group survive a restart of the broker",
    kind: "limit",
    isAlone: true,
    absence: "ends-with-process",
    needs: ({ durable }, { restartBroker }) => firstReason([!durable, "it is not durable"], [!restartBroker, "the suite cannot restart its broker"]),
    async run(world) {
      const bus = await world.bus();
      let isHealthy = false;
      const inbox = recorder(({ payload }) => {
        if (payload === "dead" || (payload === "retry" && !isHealthy)) throw new Error("as asked");
      });
      const subscription = await bus.subscribe("keep.#", { group: "g", retry: { attemptsMax: 2, delayMs: 500 } }, inbox.handle);
      await bus.publish("keep.one", "dead", { attemptsMax: 1 });
      await world.until(async () => (await bus.deadLetters("g").count()) === 1, "the letter is there");
      await bus.publish("keep.one", "retry");
      await world.until(() => subscription.stats().retried === 1, "the retry waits");
      await subscription.close();
      await Promise.all(numbers(20).map((index) => bus.publish("keep.one", index)));
      await world.subject.restartBroker?.();
      isHealthy = true;
      await bus.subscribe("keep.#", { group: "g", retry: { attemptsMax: 2, delayMs: 500 } }, inbox.handle);
      await world.until(() => new Set(inbox.payloads()).size === 22, "all survived");
      await world.until(() => inbox.seen.some(({ message, attempt }) => message.payload === "retry" && attempt === 2), "the retry comes, its attempt kept");
      assert.equal(await bus.deadLetters("g").count(), 1);
    },
  },
];
