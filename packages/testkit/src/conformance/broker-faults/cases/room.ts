/** The broker has no room, or lost what it had: promises 5 and 19. */
import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core";
import { gate, numbers, pause } from "../../recorder.ts";
import type { BrokerCase } from "../broker-case.ts";

export const roomCases: readonly BrokerCase[] = [
  {
    promise: 1,
    title: "a broker without room makes publishes wait or refuses them in time, consumers go on, and later publishes flow",
    needs: (_, { pressure }) => (pressure === undefined ? "the suite cannot use up the broker's room" : undefined),
    async run(world) {
      const { pressure } = world.subject;
      assert.ok(pressure, "needs has looked");
      const bus = await world.bus();
      const held = gate();
      await world.consume(await world.bus(), { group: "g", run: () => held.opened });
      await Promise.all(numbers(100).map((index) => world.publish(bus, `before${index}`)));
      await pressure.begin(world.place);
      try {
        const waiting = await Promise.all(numbers(20).map((index) => world.publish(bus, `under${index}`, { timeoutMs: 2_000 })));
        const errors = waiting.filter((error) => error !== undefined);
        assert.ok(errors.length > 0, "all publishes were accepted: there was no pressure at all");
        for (const error of errors) assert.ok(isHalyardError(error, "BACKPRESSURE") || isHalyardError(error, "PUBLISH_UNKNOWN"), String(error));
        held.open();
        const isDone = (index: number): boolean => world.books.entries().some(({ fact, id }) => fact === "acked" && id === `before${index}`);
        await world.until(() => numbers(100).every(isDone), "consumers go on");
        const late = world.publish(bus, "late");
        await pause(200);
        await pressure.end(world.place);
        assert.equal(await late, undefined, "a publish that waited is accepted when there is room again");
      } finally {
        await pressure.end(world.place);
      }
      await world.assertFlows(bus, "g");
      await world.closes(bus, "g");
    },
  },
  {
    promise: 19,
    title: "what is deleted under us, under load, is made again and reported; all that is accepted after that is handled",
    needs: (_, { destroyGroup }) => (destroyGroup === undefined ? "the suite cannot delete its queues behind its back" : undefined),
    async run(world) {
      const publisher = await world.bus();
      const consumer = await world.bus();
      let isReported = false;
      for (const bus of [publisher, consumer])
        bus.on("recreation", () => {
          isReported = true;
        });
      await world.consume(consumer, { group: "g" });
      const load = world.load(publisher);
      await pause(300);
      await world.strike(() => world.subject.destroyGroup?.(world.place, "g"));
      await world.until(() => isReported, "the loss is reported");
      const reportedMs = Date.now();
      await pause(500);
      await load.stop();
      await world.assertFlows(publisher, "g");
      const after = (): readonly string[] => {
        const entries = world.books.entries();
        const attempted = new Set(entries.filter(({ fact, timeMs }) => fact === "attempted" && timeMs > reportedMs).map(({ id }) => id));
        const handled = new Set(entries.filter(({ fact }) => fact === "handled").map(({ id }) => id));
        return entries.filter(({ fact, id }) => fact === "accepted" && attempted.has(id) && !handled.has(id)).map(({ id }) => id);
      };
      await world.until(
        () => after().length === 0,
        () => `all published after the report are handled; lost ${after().length}`,
      );
    },
  },
];
