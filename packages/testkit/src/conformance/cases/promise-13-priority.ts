/** Promise 13: among waiting messages the higher priority goes first. */
import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core";
import type { ConformanceCase } from "../case.ts";
import { gate, numbers, recorder } from "../recorder.ts";

export const priorityCases: readonly ConformanceCase[] = [
  {
    promise: 13,
    title: "among waiting messages the higher goes first, in as many levels as stated",
    kind: "normal",
    needs: ({ priorityLevels }) => (priorityLevels === 1 ? "it has no priorities" : undefined),
    async run(world) {
      const bus = await world.bus();
      const { priorityLevels } = world.capabilities;
      await bus.groups.define("g", { add: ["p.#"] });
      for (const index of numbers(60)) await bus.publish("p.one", index, { priority: (index * 7) % 10 });
      const inbox = recorder();
      await bus.subscribe("p.#", { group: "g", concurrency: 1, inFlightMax: 1 }, inbox.handle);
      await world.until(() => inbox.seen.length >= 60, "all arrive");
      const priorityOf = (payload: unknown): number => (Number(payload) * 7) % 10;
      const levels = inbox.payloads().map((payload) => Math.floor((priorityOf(payload) * priorityLevels) / 10));
      assert.deepEqual(
        levels,
        [...levels].sort((left, right) => right - left),
        "a lower level went before a higher one",
      );
      if (!world.capabilities.orderedTopics) return;
      for (const level of numbers(10)) {
        const indexes = inbox
          .payloads()
          .filter((payload) => priorityOf(payload) === level)
          .map(Number);
        assert.deepEqual(
          indexes,
          [...indexes].sort((left, right) => left - right),
          `within level ${level} the order is kept`,
        );
      }
    },
  },
  {
    promise: 13,
    title: "within the in-flight window the higher goes first on every backend",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const first = gate();
      const inbox = recorder(({ payload }) => (payload === "first" ? first.opened : undefined));
      const subscription = await bus.subscribe("p.#", { group: "g", concurrency: 1, inFlightMax: 20 }, inbox.handle);
      await bus.publish("p.one", "first");
      await world.until(() => inbox.seen.length === 1, "the first one runs");
      for (const index of numbers(5)) await bus.publish("p.one", `low${index}`, { priority: "low" });
      for (const index of numbers(5)) await bus.publish("p.one", `critical${index}`, { priority: "critical" });
      await world.until(() => subscription.stats().inFlight === 11, "all are in the window");
      first.open();
      await world.until(() => inbox.seen.length === 11, "all are handled");
      const words = inbox
        .payloads()
        .slice(1)
        .map((payload) => String(payload).replace(/\d/, ""));
      assert.deepEqual(words, [...numbers(5).map(() => "critical"), ...numbers(5).map(() => "low")]);
    },
  },
  {
    promise: 13,
    title: "a priority outside 0 to 9 is refused at the call",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      for (const priority of [-1, 10, 1.5]) {
        await assert.rejects(
          async () => bus.publish("p.one", 1, { priority }),
          (error) => isHalyardError(error, "INVALID_OPTIONS"),
          String(priority),
        );
      }
    },
  },
];
