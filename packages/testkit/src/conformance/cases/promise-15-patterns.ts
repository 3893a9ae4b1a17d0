/** Promise 15: exact AMQP topic semantics, from the first message of a topic on. */
import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core";
import type { ConformanceCase } from "../case.ts";
import { accepts, pull, receives, receivesNothing } from "../pull.ts";
import { numbers, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";

const topics = ["a", "b", "a.b", "a.c", "b.a", "a.b.c", "a.x.c", "a.b.c.d", "A.b", "a-b", "a_b.c", "x.y.z.a", "a.a.a", "c"];

/** For each pattern the topics that it matches; written by hand. */
const expected: Readonly<Record<string, readonly string[]>> = {
  "#": topics,
  a: ["a"],
  "*": ["a", "b", "a-b", "c"],
  "a.*": ["a.b", "a.c"],
  "a.#": ["a", "a.b", "a.c", "a.b.c", "a.x.c", "a.b.c.d", "a.a.a"],
  "#.a": ["a", "b.a", "x.y.z.a", "a.a.a"],
  "*.*": ["a.b", "a.c", "b.a", "A.b", "a_b.c"],
  "a.*.c": ["a.b.c", "a.x.c"],
  "a.#.c": ["a.c", "a.b.c", "a.x.c"],
  "#.b.#": ["b", "a.b", "b.a", "a.b.c", "a.b.c.d", "A.b"],
  "*.b.#": ["a.b", "a.b.c", "a.b.c.d", "A.b"],
  "*.#.c": ["a.c", "a.b.c", "a.x.c", "a_b.c"],
  "#.#": topics,
  "*.#": topics,
  "a.b.c.d.#": ["a.b.c.d"],
  "a.b.c.d.*": [],
};

const hostile = ["", ".", "a.", ".a", "a..b", "a b", "a\r\nb", "a/b", "a>", "ä", "a.*b", "a.b#", "x".repeat(256), numbers(17).join("."), "a\0b", "{a}"];

export const patternCases: readonly ConformanceCase[] = [
  {
    promise: 15,
    title: "groups get exactly what their patterns match",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const publisher = await world.bus();
      const inboxes = new Map<string, ReturnType<typeof recorder>>();
      for (const [index, pattern] of Object.keys(expected).entries()) {
        const inbox = recorder();
        inboxes.set(pattern, inbox);
        await bus.subscribe([pattern, "end.end.end.end.end"], { group: `g${index}`, concurrency: 5 }, inbox.handle);
      }
      await Promise.all(topics.map((topic) => publisher.publish(topic, 1)));
      await publisher.publish("end.end.end.end.end", "end");
      for (const [pattern, inbox] of inboxes) {
        const got = (): string[] => inbox.seen.map(({ message }) => message.topic).filter((topic) => !topic.startsWith("end"));
        const wanted = [...(expected[pattern] ?? [])].sort();
        await world.until(
          () => inbox.payloads().includes("end") && got().length >= wanted.length,
          () => `${pattern} gets ${wanted}; it got ${got()}`,
        );
        assert.deepEqual(got().sort(), wanted, pattern);
      }
    },
  },
  {
    promise: 15,
    title: "live subscriptions get exactly what their patterns match",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const inboxes = new Map<string, ReturnType<typeof recorder>>();
      for (const pattern of Object.keys(expected)) {
        const inbox = recorder();
        inboxes.set(pattern, inbox);
        await bus.subscribe([pattern, "end.end.end.end.end"], {}, inbox.handle);
      }
      await Promise.all(topics.map((topic) => bus.publish(topic, 1)));
      await bus.publish("end.end.end.end.end", "end");
      for (const [pattern, inbox] of inboxes) {
        await world.until(() => inbox.payloads().includes("end"), `${pattern} gets the end`);
        const got = inbox.seen.map(({ message }) => message.topic).filter((topic) => !topic.startsWith("end"));
        assert.deepEqual(got.sort(), [...(expected[pattern] ?? [])].sort(), pattern);
      }
    },
  },
  {
    promise: 15,
    title: "a session hands over nothing that no pattern of the subscription matches",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      for (const [index, pattern] of ["a.*", "a.*.c", "*.b.#", "a.#.c"].entries()) {
        for (const group of [undefined, `g${index}`]) {
          const subscription = await pull(session, pattern, { ...(group === undefined ? {} : { group }), inFlightMax: 50 });
          await accepts(
            session,
            topics.map((topic) => wire(topic, 1)),
          );
          const wanted = [...(expected[pattern] ?? [])].sort();
          const deliveries = await receives(subscription, wanted.length);
          const what = `${pattern} in ${group ?? "a live subscription"}`;
          assert.deepEqual(deliveries.map(({ message }) => message.topic).sort(), wanted, what);
          await receivesNothing(subscription, `${what}: more than it matches`);
          await subscription.close();
        }
      }
    },
  },
  {
    promise: 15,
    title: "the first message of a topic never seen before reaches every matching group",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const publisher = await world.bus();
      const inboxes = [recorder(), recorder(), recorder()];
      for (const [index, pattern] of ["fresh.#", "*.*.one", "#.one"].entries())
        await bus.subscribe(pattern, { group: `g${index}`, concurrency: 10 }, inboxes[index]?.handle ?? (() => undefined));
      const fresh = numbers(50).map((index) => `fresh.t${index}.one`);
      await Promise.all(fresh.map((topic) => publisher.publish(topic, 1)));
      for (const inbox of inboxes) {
        await world.until(() => inbox.seen.length >= 50, "every first message arrives");
        assert.deepEqual(inbox.seen.map(({ message }) => message.topic).sort(), [...fresh].sort());
      }
    },
  },
  {
    promise: 15,
    title: "topics of 16 words and 255 characters work, and what is outside the grammar is refused at the call",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      await bus.subscribe("#", { group: "g" }, inbox.handle);
      const longest = [
        numbers(16)
          .map((index) => `w${index}`)
          .join("."),
        "x".repeat(255),
        `${"y".repeat(127)}.${"z".repeat(127)}`,
      ];
      for (const topic of longest) await bus.publish(topic, 1);
      await world.until(() => inbox.seen.length === 3, "the longest topics arrive");
      assert.deepEqual(inbox.seen.map(({ message }) => message.topic).sort(), [...longest].sort());
      for (const text of hostile) {
        await assert.rejects(
          async () => bus.publish(text, 1),
          (error) => isHalyardError(error, "INVALID_TOPIC"),
          `topic ${JSON.stringify(text)}`,
        );
        await assert.rejects(
          async () => bus.subscribe(text, {}, () => undefined),
          (error) => isHalyardError(error, "INVALID_PATTERN"),
          `pattern ${JSON.stringify(text)}`,
        );
      }
      for (const topic of ["*", "a.#"])
        await assert.rejects(
          async () => bus.publish(topic, 1),
          (error) => isHalyardError(error, "INVALID_TOPIC"),
        );
    },
  },
  {
    promise: 15,
    title: "retries, dead letters, redrives and direct sends are seen by no pattern",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const observer = recorder();
      const liveObserver = recorder();
      await bus.subscribe("#", { group: "observer", concurrency: 5 }, observer.handle);
      await bus.subscribe("#", {}, liveObserver.handle);
      const inbox = recorder(({ payload }) => {
        if (payload === "bad") throw new Error("always");
      });
      await bus.subscribe("w.#", { group: "g" }, inbox.handle);
      await bus.publish("w.one", "bad", { id: "bad" });
      await world.until(async () => (await bus.deadLetters("g").count()) === 1, "it is dead");
      await bus.deadLetters("g").redrive("all");
      await world.until(() => inbox.seen.length === 6, "it failed again");
      await bus.send("g", "any.topic", "direct");
      await world.until(() => inbox.payloads().includes("direct"), "a direct send arrives, its topic need not match");
      await bus.publish("w.end", "end");
      await world.until(() => observer.payloads().includes("end") && liveObserver.payloads().includes("end"), "the end arrives");
      assert.deepEqual([...observer.payloads()].sort(), ["bad", "end"]);
      assert.deepEqual(liveObserver.payloads(), ["bad", "end"]);
    },
  },
  {
    promise: 15,
    title: "a group's patterns can be added and dropped, and subscribing only adds",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const second = await world.bus();
      await bus.groups.define("g", { add: ["one", "two"] });
      await bus.groups.define("g", { add: ["three"], drop: ["two"] });
      for (const topic of ["one", "two", "three"]) await bus.publish(topic, topic);
      const inbox = recorder();
      await bus.subscribe(["one", "three"], { group: "g" }, inbox.handle);
      await assert.rejects(
        async () => bus.subscribe("four", { group: "g" }, () => undefined),
        (error) => isHalyardError(error, "GROUP_CONFLICT"),
      );
      await world.until(() => inbox.seen.length >= 2, "they arrive");
      assert.deepEqual([...inbox.payloads()].sort(), ["one", "three"]);
      await bus.close();
      // Another bus states less: nothing is dropped by that.
      await second.publish("three", "later");
      const rest = recorder();
      await second.subscribe(["one", "three"], { group: "g" }, rest.handle);
      await world.until(() => rest.payloads().includes("later"), "a pattern stays until it is dropped");
    },
  },
  {
    promise: 15,
    title: "a member never acks away what only another member of its group handles",
    kind: "limit",
    isSlow: true,
    async run(world) {
      const old = await world.bus();
      const current = await world.bus();
      const oldInbox = recorder();
      const currentInbox = recorder();
      await old.subscribe("mixed.a", { group: "g" }, oldInbox.handle);
      await current.subscribe("mixed.b", { group: "g" }, currentInbox.handle);
      for (const index of numbers(3)) {
        await current.publish("mixed.a", `a${index}`);
        await current.publish("mixed.b", `b${index}`);
      }
      // Chance may hand one to the wrong member time after time: then it is a letter that says so, and still not lost.
      const unmatched = async (): Promise<readonly unknown[]> =>
        (await current.deadLetters("g").list()).filter(({ reason }) => reason === "unmatched").map(({ message }) => message.payload);
      const found = async (): Promise<readonly unknown[]> => [...oldInbox.payloads(), ...currentInbox.payloads(), ...(await unmatched())];
      await world.until(async () => (await found()).length >= 6, "each finds the member that handles it, or is a letter with the reason unmatched");
      assert.deepEqual([...(await found())].sort(), ["a0", "a1", "a2", "b0", "b1", "b2"]);
      assert.ok(oldInbox.payloads().every((payload) => String(payload).startsWith("a")));
      assert.ok(currentInbox.payloads().every((payload) => String(payload).startsWith("b")));
      assert.ok(
        [...oldInbox.seen, ...currentInbox.seen].every(({ attempt }) => attempt === 1),
        "a hand-back counted as an attempt",
      );
    },
  },
];
