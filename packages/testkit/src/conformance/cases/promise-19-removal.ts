/** Promise 19: removed groups stop their members and keep their letters; what vanishes is made again and reported. */
import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core";
import type { ConformanceCase } from "../case.ts";
import { accepts, never, pull } from "../pull.ts";
import { numbers, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";

export const removalCases: readonly ConformanceCase[] = [
  {
    promise: 19,
    title: "members of a removed group stop with GROUP_REMOVED, other groups go on",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const other = await world.bus();
      const members = [await bus.subscribe("x.#", { group: "g" }, () => undefined), await other.subscribe("x.#", { group: "g" }, () => undefined)];
      const stops: string[] = [];
      other.on("subscription-stop", ({ group, error }) => void stops.push(`${group} ${error.code}`));
      const inbox = recorder();
      await bus.subscribe("x.#", { group: "staying" }, inbox.handle);
      await bus.groups.remove("g");
      for (const member of members) {
        await world.until(() => member.state === "closed", "the member stops");
        assert.ok(isHalyardError(await member.ended, "GROUP_REMOVED"));
      }
      await world.until(() => stops.length > 0, "the stop is an event");
      assert.deepEqual(stops, ["g GROUP_REMOVED"]);
      await bus.publish("x.one", 1);
      await world.until(() => inbox.seen.length === 1, "the other group goes on");
    },
  },
  {
    promise: 19,
    title: "receive rejects with GROUP_REMOVED",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "x.#", { group: "g" });
      const receiving = subscription.receive(1, never);
      receiving.catch(() => undefined); // looked at below
      await session.admin.removeGroup("g", never);
      await assert.rejects(receiving, (error) => isHalyardError(error, "GROUP_REMOVED"));
    },
  },
  {
    promise: 19,
    title: "a removed group takes its messages and retries along and keeps its dead letters",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const failing = recorder(() => {
        throw new Error("always");
      });
      const subscription = await bus.subscribe("x.#", { group: "g", retry: { delayMs: 250, attemptsMax: 50 } }, failing.handle);
      await bus.publish("x.one", "dead", { id: "dead", attemptsMax: 1 });
      await bus.publish("x.one", "retrying");
      await world.until(async () => subscription.stats().retried >= 1 && (await bus.deadLetters("g").count()) === 1, "one is dead, one waits");
      await subscription.close();
      await bus.publish("x.one", "waiting");
      await bus.groups.remove("g");
      await bus.groups.remove("g"); // again is no error
      assert.equal(await bus.groups.get("g"), undefined);
      assert.equal(await bus.deadLetters("g").count(), 1);
      const inbox = recorder();
      await bus.subscribe("x.#", { group: "g" }, inbox.handle);
      await bus.publish("x.one", "new");
      await bus.publish("x.one", "late", { delayMs: 400 });
      await world.until(() => inbox.payloads().includes("late"), "the new group works");
      assert.deepEqual(inbox.payloads(), ["new", "late"], "something of the old group came back");
      await bus.deadLetters("g").redrive("all");
      await world.until(() => inbox.payloads().includes("dead"), "the letter can be redriven to the new group");
    },
  },
  {
    promise: 19,
    title: "sending to a group that is not there is NO_SUCH_GROUP",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      await assert.rejects(bus.send("missing", "x.one", 1), (error) => isHalyardError(error, "NO_SUCH_GROUP"));
      await bus.groups.define("there", { add: ["x.#"] });
      await bus.send("there", "any.topic", 1);
      await bus.groups.remove("there");
      await assert.rejects(bus.send("there", "any.topic", 1), (error) => isHalyardError(error, "NO_SUCH_GROUP"));
    },
  },
  {
    promise: 19,
    title: "purging a group removes what waits and nothing else",
    kind: "normal",
    async run(world) {
      const { session } = await world.session();
      const other = await world.bus();
      await session.admin.defineGroup("g", { add: [], drop: [] }, never);
      await other.groups.define("g", { add: ["x.#"] });
      await other.groups.define("other", { add: ["x.#"] });
      await accepts(
        session,
        numbers(20).map((index) => wire("x.one", index)),
      );
      const purged = await other.groups.purge("g");
      assert.ok(purged === undefined || purged === 20, `purge says ${purged}`);
      const inbox = recorder();
      await other.subscribe("x.#", { group: "g" }, inbox.handle);
      const rest = recorder();
      await other.subscribe("x.#", { group: "other", concurrency: 10 }, rest.handle);
      await other.publish("x.one", "end");
      await world.until(() => inbox.payloads().includes("end") && rest.seen.length === 21, "the end arrives");
      assert.deepEqual(inbox.payloads(), ["end"]);
    },
  },
  {
    promise: 19,
    title: "a queue that is deleted under us is made again, consumed again, and its loss is reported",
    kind: "limit",
    absence: "moot-unless-durable",
    needs: (_, { destroyGroup }) => (destroyGroup ? undefined : "nobody can delete its queues behind its back, or the suite cannot"),
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      let reports = 0;
      bus.on("recreation", () => void reports++);
      await bus.subscribe("x.#", { group: "g" }, inbox.handle);
      await bus.publish("x.one", "before");
      await world.until(() => inbox.seen.length === 1, "it works before");
      await world.subject.destroyGroup?.({ namespace: world.namespace, proxy: undefined }, "g");
      await world.until(async () => {
        await bus.publish("x.one", "after");
        return inbox.payloads().includes("after");
      }, "it consumes again");
      await world.until(() => reports > 0, "the loss is reported");
    },
  },
];
