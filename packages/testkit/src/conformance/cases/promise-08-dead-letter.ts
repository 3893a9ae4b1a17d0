/** Promise 8: after the last attempt a message is a dead letter with its diagnostics, stored before the original is acked. */
import assert from "node:assert/strict";
import type { ConformanceCase } from "../case.ts";
import { Ledger } from "../ledger.ts";
import { accepts, lettersOf, moveTo, pull, receivesNothing, receivesOne, settles } from "../pull.ts";
import { numbers, pause, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";

export const deadLetterCases: readonly ConformanceCase[] = [
  {
    promise: 8,
    title: "a dead letter carries the message and its diagnostics",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      await bus.subscribe("d.#", { group: "g" }, () => {
        throw Object.assign(new Error('disk full: ü\n"quoted"'), { name: "DiskError", code: "ENOSPC" });
      });
      const beforeMs = Date.now();
      await bus.publish("d.one", { n: [1, 2] }, { id: "m", key: "k", type: "t", headers: { note: "käse" }, correlationId: "c", priority: 7 });
      await world.until(async () => (await bus.deadLetters("g").count()) === 1, "the letter is there");
      const letter = await bus.deadLetters("g").get("m");
      assert.ok(letter);
      const { message, error } = letter;
      assert.deepEqual([message.id, message.topic, message.payload, message.key, message.type], ["m", "d.one", { n: [1, 2] }, "k", "t"]);
      assert.deepEqual([{ ...message.headers }, message.correlationId, message.priority], [{ note: "käse" }, "c", 7]);
      assert.deepEqual([letter.reason, letter.attempts, letter.group, letter.copies], ["attempts", 3, "g", 1]);
      assert.deepEqual([error?.name, error?.message, error?.code], ["DiskError", 'disk full: ü\n"quoted"', "ENOSPC"]);
      assert.match(error?.stack ?? "", /disk full/);
      const times = [beforeMs - 1, letter.firstFailedAtMs ?? 0, letter.lastFailedAtMs ?? 0, letter.deadAtMs ?? 0, Date.now() + 1];
      assert.deepEqual(
        times,
        [...times].sort((left, right) => left - right),
        "first failure, last failure, death",
      );
    },
  },
  {
    promise: 8,
    title: "a move to the dead letters stores the copy and removes the original",
    kind: "normal",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "d.#", { group: "g" });
      await accepts(session, [wire("d.one", "x", { id: "m" })]);
      const delivery = await receivesOne(subscription);
      await settles(subscription, delivery, moveTo("dead-letters", { ...delivery.message, headers: { why: "because" } }));
      const [letter, ...more] = await lettersOf(session, "g");
      assert.deepEqual([letter?.id, letter?.topic, letter?.headers.why, more.length], ["m", "d.one", "because", 0]);
      await receivesNothing(subscription, "the original is still there");
    },
  },
  {
    promise: 8,
    title: "the letter is stored before the original is gone",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      const other = (await world.session()).session;
      const subscription = await pull(session, "d.#", { group: "g", inFlightMax: 50 });
      await accepts(
        session,
        numbers(30).map((index) => wire("d.one", index)),
      );
      for (let index = 0; index < 30; index++) {
        const delivery = await receivesOne(subscription);
        await settles(subscription, delivery, moveTo("dead-letters", delivery.message));
        // Whoever looks after the settlement was confirmed must find the letter.
        assert.equal((await lettersOf(other, "g")).length, index + 1, "the move was confirmed before the letter was stored");
      }
    },
  },
  {
    promise: 8,
    title: "two copies of one letter are one: listed, removed and redriven once",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const { session } = await world.session();
      const inbox = recorder();
      const letter = wire("d.one", "x", { id: "twice" });
      for (let copy = 0; copy < 2; copy++) await accepts(session, [letter], { target: { deadLetters: "g" } });
      await accepts(session, [wire("d.one", "y", { id: "once" })], { target: { deadLetters: "g" } });
      const list = await bus.deadLetters("g").list();
      assert.deepEqual(
        list.map(({ id }) => id),
        ["twice", "once"],
      );
      assert.ok(list[0]?.copies === 1 || list[0]?.copies === 2);
      await bus.subscribe("d.#", { group: "g" }, inbox.handle);
      assert.equal(await bus.deadLetters("g").redrive("twice"), 1);
      await world.until(() => inbox.seen.length > 0, "it comes again");
      assert.equal(await bus.deadLetters("g").get("twice"), undefined, "its copy is still there");
      await bus.publish("d.end", "end");
      await world.until(() => inbox.payloads().includes("end"), "the end arrives");
      assert.deepEqual(inbox.payloads(), ["x", "end"]);
      assert.equal(await bus.deadLetters("g").count(), 1);
    },
  },
  {
    promise: 8,
    title: "a letter does not expire with its message",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      await bus.subscribe("d.#", { group: "g" }, () => {
        throw new Error("always");
      });
      await bus.publish("d.one", 1, { ttlMs: 600, attemptsMax: 1 });
      await world.until(async () => (await bus.deadLetters("g").count()) === 1, "the letter is there", 5_000);
      await pause(900);
      assert.equal((await bus.deadLetters("g").list()).length, 1, "the letter expired");
    },
  },
  {
    promise: 8,
    title: "deadLetter: false drops what fails for good, and says so",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder(({ payload }) => {
        if (payload === "bad") throw new Error("always");
      });
      const drops: string[] = [];
      bus.on("message-drop", ({ reason }) => void drops.push(reason));
      await bus.subscribe("d.#", { group: "g", deadLetter: false }, inbox.handle);
      await bus.publish("d.one", "bad");
      await world.until(() => drops.length > 0, "the drop is reported");
      assert.equal(await bus.deadLetters("g").count(), 0);
      assert.equal(inbox.seen.length, 3);
    },
  },
  {
    promise: 8,
    title: "the handler can ask for a dead letter, and groups keep theirs apart",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const other = recorder();
      await bus.subscribe("d.#", { group: "a" }, (_, context) => context.deadLetter("not for us"));
      await bus.subscribe("d.#", { group: "b" }, other.handle);
      await bus.publish("d.one", 1, { id: "m" });
      await world.until(async () => (await bus.deadLetters("a").count()) === 1, "the letter is there");
      const letter = await bus.deadLetters("a").get("m");
      assert.equal(letter?.reason, "requested");
      assert.equal(letter?.error?.message, "not for us");
      await world.until(() => other.seen.length === 1, "the other group handles it");
      assert.equal(await bus.deadLetters("b").count(), 0);
    },
  },
  {
    promise: 8,
    title: "dead-lettering under a fault: every message is handled or a letter, none is lost",
    kind: "fault",
    area: "move",
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const consumer = await world.bus();
      const ledger = new Ledger();
      const subscription = await consumer.subscribe("d.#", { group: "g", concurrency: 5 }, (message) => {
        if (Number(message.id.slice(1)) % 2 === 1) throw new Error("always");
        ledger.note(message);
      });
      await Promise.all(numbers(100).map((index) => ledger.publish(publisher, "d.one", `m${index}`)));
      await world.until(() => subscription.stats().failed > 10, "some have failed");
      world.strike();
      await pause(200);
      world.heal();
      await ledger.publish(publisher, "d.last", "m1000");
      await ledger.closes(world, publisher, "g");
      for (const letter of await publisher.deadLetters("g").list({ limit: 1_000 })) {
        assert.equal(letter.reason, "attempts");
        assert.equal(Number(letter.id.slice(1)) % 2, 1, "a message that was handled is a dead letter");
      }
    },
  },
];
