/** Promise 22: `inspect`, `health` and `metrics` tell the truth: numbers or `undefined`, never a made-up zero. */
import assert from "node:assert/strict";
import type { ConformanceCase } from "../case.ts";
import { never } from "../pull.ts";
import { gate, numbers, recorder } from "../recorder.ts";

export const truthCases: readonly ConformanceCase[] = [
  {
    promise: 22,
    title: "a group's numbers are right wherever they are given",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const group = async (): Promise<Awaited<ReturnType<typeof bus.groups.get>>> => bus.groups.get("g");
      assert.equal(await group(), undefined, "a group that is not there");
      await bus.groups.define("g", { add: ["x.*", "y"] });
      await Promise.all(numbers(7).map((index) => bus.publish("x.one", index)));
      const is = async (what: "waiting" | "delayed" | "inFlight" | "members", wanted: number): Promise<void> => {
        let value: number | undefined;
        await world.until(
          async () => {
            value = (await group())?.[what];
            return value === undefined || value === wanted;
          },
          () => `${what} is ${wanted} or undefined; it says ${value}`,
        );
      };
      await is("waiting", 7);
      await is("members", 0);
      await is("inFlight", 0);
      const patterns = (await group())?.patterns;
      if (patterns !== undefined) assert.deepEqual([...patterns].sort(), ["x.*", "y"]);
      const held = gate();
      const subscription = await bus.subscribe(["x.*", "y"], { group: "g", concurrency: 3, inFlightMax: 3 }, () => held.opened);
      await world.until(() => subscription.stats().running === 3, "three run");
      await is("members", 1);
      await is("inFlight", 3);
      await is("waiting", 4);
      held.open();
      await is("waiting", 0);
      await is("inFlight", 0);
      const retrying = await bus.subscribe("z", { group: "h", retry: { delayMs: 60_000, delayMsMax: 60_000 } }, () => {
        throw new Error("later");
      });
      await bus.publish("z", 1);
      await world.until(() => retrying.stats().retried === 1, "one is delayed");
      const delayed = (await bus.groups.get("h"))?.delayed;
      assert.ok(delayed === undefined || delayed === 1, `delayed is 1 or undefined; it says ${delayed}`);
    },
  },
  {
    promise: 22,
    title: "inspect shows groups and topics that are there, and this bus's subscriptions",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      await bus.subscribe("x.#", { group: "g" }, () => undefined);
      await bus.subscribe("y", {}, () => undefined);
      await bus.publish("x.one", 1);
      const inspection = await bus.inspect();
      assert.equal(inspection.namespace, world.namespace);
      assert.deepEqual(
        inspection.subscriptions.map(({ patterns, group }) => [patterns, group]),
        [
          [["x.#"], "g"],
          [["y"], undefined],
        ],
      );
      if (inspection.groups !== undefined)
        assert.deepEqual(
          inspection.groups.map(({ name }) => name),
          ["g"],
        );
      if (inspection.topics !== undefined) assert.ok(inspection.topics.every(({ topic }) => topic === "x.one"));
    },
  },
  {
    promise: 22,
    title: "healthy while a message can go round, unhealthy while it cannot, healthy again after",
    kind: "fault",
    area: "publish",
    breaksItself: true,
    async run(world) {
      const bus = await world.bus();
      const health = await bus.health();
      assert.equal(health.healthy, true, String(health.error));
      assert.ok((health.latencyMs ?? -1) >= 0);
      world.breakOff(bus);
      await world.until(async () => !(await bus.health({ timeoutMs: 300 })).healthy, "it says so when it is down");
      const down = await bus.health({ timeoutMs: 300 });
      assert.ok(down.error instanceof Error);
      assert.equal(down.latencyMs, undefined);
      world.restore(bus);
      await world.until(async () => (await bus.health()).healthy, "it recovers");
    },
  },
  {
    promise: 22,
    title: "asking never waits behind receiving, nor behind handlers that hold their messages",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const held = gate();
      await bus.subscribe("idle.#", { group: "idle" }, () => undefined);
      await bus.subscribe("x.#", { group: "busy", concurrency: 2 }, () => held.opened);
      for (const index of numbers(10)) await bus.publish("x.one", index);
      await world.until(() => bus.metrics().received >= 2, "handlers hold their messages");
      const startMs = performance.now();
      assert.equal((await bus.health({ timeoutMs: 5_000 })).healthy, true);
      await bus.inspect();
      await bus.deadLetters("busy").count();
      assert.ok(performance.now() - startMs < 5_000, "asking took as long as a blocked read");
      held.open();
    },
  },
  {
    promise: 22,
    title: "a ping rejects where a publish would",
    kind: "limit",
    async run(world) {
      const { session } = await world.session({ steady: true });
      await session.admin.ping(never);
      await session.close();
      await assert.rejects(session.admin.ping(never), "a closed session answers a ping");
      assert.equal(await session.closed, undefined, "closed resolves with no error when it was asked for");
    },
  },
  {
    promise: 22,
    title: "the counters of a bus add up",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder(({ payload }) => {
        if (payload === "bad") throw new Error("always");
      });
      await bus.subscribe("x.#", { group: "g" }, inbox.handle);
      for (const index of numbers(10)) await bus.publish("x.one", index);
      await bus.publish("x.one", "bad");
      await world.until(() => bus.metrics().deadLettered === 1, "the bad one is dead");
      const { published, handled, failed, retried, deadLettered, received, publishLatency, handlerLatency, publishFailed } = bus.metrics();
      assert.deepEqual(
        { published, handled, failed, retried, deadLettered, received, publishFailed },
        { published: 11, handled: 10, failed: 3, retried: 2, deadLettered: 1, received: 13, publishFailed: 0 },
      );
      assert.equal(publishLatency.count, 11);
      assert.equal(handlerLatency.count, 13);
    },
  },
];
