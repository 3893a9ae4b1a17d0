/** Promise 1: `publish` resolves only after acceptance, rejects as refused or unknown, and never hangs. */
import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core";
import type { ConformanceCase } from "../case.ts";
import { Ledger } from "../ledger.ts";
import { accepts, never, pull, receives, settles } from "../pull.ts";
import { counted, numbers, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";

/** Codes with which a publish may end that was not accepted in time. */
const givenUp: readonly string[] = ["PUBLISH_UNKNOWN", "BACKPRESSURE", "CONNECT_FAILED", "CONNECTION_LOST", "TIMEOUT"];

export const publishCases: readonly ConformanceCase[] = [
  {
    promise: 1,
    title: "what publish resolved for is stored",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      await bus.groups.define("workers", { add: ["task.#"] });
      const receipts = await Promise.all(numbers(20).map((index) => bus.publish("task.one", index)));
      await bus.close();
      const later = await world.bus();
      const inbox = recorder();
      await later.subscribe("task.#", { group: "workers", concurrency: 5 }, inbox.handle);
      await world.until(() => inbox.seen.length >= 20, "all accepted messages arrive at a member that came later");
      assert.deepEqual([...inbox.ids()].sort(), receipts.map(({ id }) => id).sort());
    },
  },
  {
    promise: 1,
    title: "a batch is accepted message by message, in order",
    kind: "normal",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "a.#", { group: "g", inFlightMax: 50 });
      const messages = numbers(30).map((index) => wire("a.b", index));
      const statuses = await session.publish(messages, { signal: never });
      assert.ok(statuses === undefined || statuses.length === 30, "undefined, or one status a message");
      assert.deepEqual(statuses?.filter(({ status }) => status !== "accepted") ?? [], [], "not every message of the batch was accepted");
      const deliveries = await receives(subscription, 30);
      assert.deepEqual(new Set(deliveries.map(({ message }) => message.id)), new Set(messages.map(({ id }) => id)));
      for (const delivery of deliveries) await settles(subscription, delivery);
    },
  },
  {
    promise: 1,
    title: "publishBatch returns one receipt a message",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      await bus.subscribe("batch.#", { group: "g" }, inbox.handle);
      const receipts = await bus.publishBatch(numbers(100).map((index) => ({ topic: `batch.t${index % 3}`, payload: index, options: { id: `m${index}` } })));
      assert.deepEqual(
        receipts.map(({ id }) => id),
        numbers(100).map((index) => `m${index}`),
      );
      await world.until(() => inbox.seen.length === 100, "all of the batch arrive");
    },
  },
  {
    promise: 1,
    title: "a publish that nobody listens to is accepted as well",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      await accepts(session, [wire("nobody.listens", 1)]);
      assert.equal(await session.publish([], { signal: never }).then((statuses) => statuses?.length ?? 0), 0, "an empty batch is no error");
    },
  },
  {
    promise: 1,
    title: "an aborted publish rejects as ABORTED, on a closed bus as CLOSED",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const controller = new AbortController();
      controller.abort();
      await assert.rejects(bus.publish("a.b", 1, { signal: controller.signal }), (error) => isHalyardError(error, "ABORTED"));
      await bus.close();
      await assert.rejects(
        async () => bus.publish("a.b", 1),
        (error) => isHalyardError(error, "CLOSED"),
      );
    },
  },
  {
    promise: 1,
    title: "a publish into a dead connection rejects within its deadline, and what waited for a new one is accepted",
    kind: "fault",
    area: "publish",
    breaksItself: true,
    async run(world) {
      const bus = await world.bus();
      const reader = await world.bus({}, { steady: true });
      const inbox = recorder();
      await reader.subscribe("#", { group: "g" }, inbox.handle);
      world.breakOff(bus);
      const startMs = performance.now();
      await assert.rejects(bus.publish("a.b", "short", { timeoutMs: 300 }), (error) => isHalyardError(error) && givenUp.includes(error.code));
      assert.ok(performance.now() - startMs < 10_000, "the deadline of 300 ms was overrun by far");
      const waiting = bus.publish("a.b", "long");
      world.restore(bus);
      await waiting;
      await world.until(() => inbox.payloads().includes("long"), "the publish that waited for the connection arrives");
    },
  },
  {
    promise: 1,
    title: "publishes under a fault settle, and none that was accepted is lost or stored twice",
    kind: "fault",
    area: "publish",
    async run(world) {
      const publisher = await world.bus();
      const consumer = await world.bus({}, { steady: true });
      const ledger = new Ledger();
      await consumer.subscribe("work.#", { group: "g", concurrency: 20 }, ledger.note);
      const open = numbers(200).map((index) => {
        if (index === 100) world.strike();
        return ledger.publish(publisher, "work.one", `m${index}`, { timeoutMs: 20_000 });
      });
      for (let wave = 0; wave < 10; wave++) {
        open.push(...numbers(10).map((index) => ledger.publish(publisher, "work.two", `w${wave}-${index}`, { timeoutMs: 20_000 })));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      world.heal();
      await Promise.all(open);
      await ledger.publish(publisher, "work.last", "last", { timeoutMs: 20_000 });
      assert.ok(ledger.accepted.has("last"), `a publish after the fault is accepted: ${String(ledger.rejected.at(-1))}`);
      for (const error of ledger.rejected) assert.ok(isHalyardError(error) && givenUp.includes(error.code), `rejected with ${String(error)}`);
      await ledger.closes(world, consumer, "g");
      if (world.capabilities.dedupMs > 0) {
        const repeated = [...ledger.handled].filter(([, times]) => times > 1);
        assert.deepEqual(repeated, [], "repeating a publish under the same id stored it twice");
      }
    },
  },
  {
    promise: 1,
    title: "a publish whose reply was lost is repeated under the same id",
    kind: "fault",
    area: "publish",
    breaksItself: true,
    async run(world) {
      const publisher = await world.bus();
      const consumer = await world.bus({}, { steady: true });
      const inbox = recorder();
      await consumer.subscribe("#", { group: "g" }, inbox.handle);
      await publisher.publish("a.b", "warm");
      world.lineOf(publisher).loseReplies();
      const { id } = await publisher.publish("a.b", "one");
      await publisher.publish("a.b", "two");
      await world.until(() => inbox.payloads().includes("two"), "the next message arrives");
      const times = counted(inbox.ids()).get(id) ?? 0;
      assert.ok(times >= 1, "the message whose reply was lost is lost");
      if (world.capabilities.dedupMs > 0) assert.equal(times, 1, "it was stored twice under one id");
    },
  },
];
