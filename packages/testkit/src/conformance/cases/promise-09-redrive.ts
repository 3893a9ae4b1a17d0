/** Promise 9: dead letters can be counted, walked oldest first, read, removed, redriven and purged; looking uses nothing up. */
import assert from "node:assert/strict";
import type { Bus } from "@halyard/core";
import { isHalyardError, type Session } from "@halyard/core/spi";
import type { ConformanceCase } from "../case.ts";
import { accepts, lettersOf, never } from "../pull.ts";
import { gate, numbers, pause, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";
import type { World } from "../world.ts";

/** Puts letters `m0`, `m1`, … into the dead letters of group `g`, by failing handlers, in that order. */
async function lettersByFailing(world: World, bus: Bus, count: number): Promise<void> {
  const subscription = await bus.subscribe("l.#", { group: "g", retry: { attemptsMax: 1 } }, () => {
    throw new Error("as asked");
  });
  for (const index of numbers(count)) await bus.publish("l.one", index, { id: `m${index}` });
  await world.until(async () => (await bus.deadLetters("g").count()) === count, `${count} letters are there`);
  await subscription.close();
}

async function lettersDirectly(session: Session, count: number): Promise<void> {
  await accepts(
    session,
    numbers(count).map((index) => wire("l.one", index, { id: `m${index}` })),
    { target: { deadLetters: "g" } },
  );
}

export const redriveCases: readonly ConformanceCase[] = [
  {
    promise: 9,
    title: "letters are counted, listed oldest first, read and removed",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const letters = bus.deadLetters("g");
      assert.equal(await letters.count(), 0, "a group without letters has none: count must say 0 and not fail");
      assert.deepEqual(await letters.list(), [], "walking a group without letters must show no page, or empty ones");
      await lettersByFailing(world, bus, 5);
      assert.deepEqual(
        (await letters.list()).map(({ id }) => id),
        ["m0", "m1", "m2", "m3", "m4"],
        "a walk must show all letters, oldest first",
      );
      assert.deepEqual(
        (await letters.list({ limit: 2 })).map(({ id }) => id),
        ["m0", "m1"],
        "a walk that was stopped after two must have shown the oldest two",
      );
      assert.equal((await letters.get("m3"))?.message.payload, 3, "a letter that is there was not found by its id, or has another body");
      assert.equal(await letters.get("missing"), undefined, "a letter was found that is not there");
      assert.equal(await letters.remove(["m1", "m2"]), 2, "the verdict `remove` about two letters must remove two");
      assert.deepEqual(
        (await letters.list()).map(({ id }) => id),
        ["m0", "m3", "m4"],
        "`remove` must take exactly the letters that it was said about, and leave the others in place and order",
      );
      assert.equal(await letters.purge(), 3, "purge must return how many letters it removed");
      assert.equal(await letters.count(), 0, "letters are left after a purge");
    },
  },
  {
    promise: 9,
    title: "what is redriven and fails again at once, while the walk goes on, is a letter again",
    kind: "normal",
    async run(world) {
      const count = 110; // more than core reads at once: what it decides about the first ones is done before it reads the others
      const bus = await world.bus();
      const letters = bus.deadLetters("g");
      await lettersByFailing(world, bus, count);
      const failedAgain = new Set<string>();
      await bus.subscribe("l.#", { group: "g", concurrency: 50, retry: { attemptsMax: 1 } }, ({ id }) => {
        failedAgain.add(id);
        throw new Error("as asked again");
      });
      const { redriven } = await letters.handle(async ({ id }) => {
        if (id === `m${count - 1}`) await world.until(async () => failedAgain.size > 0 && (await letters.count()) > count / 2, "some are letters again");
        return "redrive" as const;
      });
      assert.equal(redriven, count, "each letter was to be redriven once");
      await world.until(() => failedAgain.size === count, "all that was redriven comes again");
      await world.until(async () => (await letters.count()) >= count, "all that failed again are letters; the walk that redrove them must not take them away");
      assert.equal((await letters.list({ limit: 2 * count })).length, count);
    },
  },
  {
    promise: 9,
    title: "a redrive goes to its own group only, starts at attempt 1, and is not taken for a duplicate",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const other = recorder();
      await bus.subscribe("l.#", { group: "other" }, other.handle);
      await bus.subscribe("l.#", {}, other.handle);
      await lettersByFailing(world, bus, 3);
      const inbox = recorder();
      await bus.subscribe("l.#", { group: "g" }, inbox.handle);
      assert.equal(await bus.deadLetters("g").redrive("m1"), 1, "one letter was to be redriven");
      await world.until(() => inbox.seen.length >= 1, "what was redriven comes again; it must not be taken for a duplicate of its id");
      const [again] = inbox.seen;
      assert.deepEqual(
        [again?.message.id, again?.attempt, again?.message.topic],
        ["m1", 1, "l.one"],
        "a redrive must store the message that the verdict gives: its id, attempt 1, its topic",
      );
      assert.equal(await bus.deadLetters("g").redrive("all"), 2, "two letters were left to be redriven");
      await world.until(() => inbox.seen.length >= 3, "all that was redriven comes again");
      assert.equal(await bus.deadLetters("g").count(), 0, "a letter stayed although it was redriven: it would be handled twice");
      await bus.publish("l.end", "end");
      await world.until(() => other.payloads().filter((payload) => payload === "end").length === 2, "the end arrives");
      assert.equal(other.seen.length, 8, "another group saw the redrive");
      assert.equal(inbox.seen.filter(({ message }) => message.payload !== "end").length, 3, "a letter that was redriven once came more than once");
    },
  },
  {
    promise: 9,
    title: "a letter can be redriven, fail and be redriven again, also with a repaired payload",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder(({ payload }) => {
        if (payload === 0) throw new Error("as asked");
      });
      await lettersByFailing(world, bus, 1);
      await bus.subscribe("l.#", { group: "g" }, inbox.handle);
      await bus.deadLetters("g").redrive("m0");
      await world.until(async () => inbox.seen.length >= 3 && (await bus.deadLetters("g").count()) === 1, "it fails again");
      await bus.deadLetters("g").redrive("m0", { payload: "repaired" });
      await world.until(() => inbox.payloads().includes("repaired"), "the repaired one is handled");
      assert.deepEqual(
        inbox.seen.map(({ attempt }) => attempt),
        [1, 2, 3, 1],
        "a redriven letter begins at attempt 1, each time",
      );
      assert.equal(await bus.deadLetters("g").count(), 0, "a letter stayed although it was redriven and handled");
    },
  },
  {
    promise: 9,
    title: "handle decides letter by letter",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      await lettersByFailing(world, bus, 6);
      const inbox = recorder();
      await bus.subscribe("l.#", { group: "g" }, inbox.handle);
      const fates = ["keep", "remove", "redrive"] as const;
      const result = await bus.deadLetters("g").handle(({ message }) => fates[Number(message.payload) % 3] ?? "keep");
      assert.deepEqual(result, { kept: 2, removed: 2, redriven: 2 }, "a walk must show each of the six letters once");
      await world.until(() => inbox.seen.length >= 2, "the redriven come again");
      assert.deepEqual([...inbox.ids()].sort(), ["m2", "m5"], "verdicts went to other letters than those they were given about");
      assert.deepEqual(
        (await bus.deadLetters("g").list()).map(({ id }) => id),
        ["m0", "m3"],
        "the letters that were kept must stay, and no other",
      );
    },
  },
  {
    promise: 9,
    title: "letters are removed in any order, and the others are still listed and redriven",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      await lettersByFailing(world, bus, 6);
      const letters = bus.deadLetters("g");
      let left = numbers(6).map((index) => `m${index}`);
      for (const next of ["m5", "m0", "m3", "m4", "m1"]) {
        assert.equal((await letters.handle(({ id }) => (id === next ? "remove" : "keep"))).removed, 1, `${next} was not there to be removed`);
        left = left.filter((id) => id !== next);
        assert.deepEqual(
          (await letters.list()).map(({ id }) => id),
          left,
          `after ${next} was removed`,
        );
      }
      const inbox = recorder();
      await bus.subscribe("l.#", { group: "g" }, inbox.handle);
      assert.equal(await letters.redrive("all"), 1, "the last letter was not there to be redriven");
      await world.until(() => inbox.seen.length === 1, "the last one comes again");
      assert.deepEqual([inbox.ids(), await letters.count()], [["m2"], 0]);
    },
  },
  {
    promise: 9,
    title: "looking never uses a letter up",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      await lettersByFailing(world, bus, 3);
      for (let time = 0; time < 25; time++)
        assert.equal((await bus.deadLetters("g").list()).length, 3, `look ${time + 1} used a letter up: brokers that count deliveries must not count looks`);
      assert.equal(await bus.deadLetters("g").count(), 3, "looking changed the count");
    },
  },
  {
    promise: 9,
    title: "a walk goes in pages, oldest first, sees each letter once, and stops when told",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      await lettersDirectly(session, 120);
      const pages: number[] = [];
      const ids: string[] = [];
      await session.deadLetters.walk("g", { pageMax: 50, signal: never }, async (page) => {
        pages.push(page.length);
        ids.push(...page.map(({ id }) => id));
        return page.map(() => "keep" as const);
      });
      assert.ok(
        pages.every((size) => size >= 1 && size <= 50),
        `a page holds 1 to pageMax (50) letters; these held ${pages.join(", ")}`,
      );
      assert.deepEqual(
        ids,
        numbers(120).map((index) => `m${index}`),
        "a walk must show every letter once, oldest first, over all its pages",
      );
      let visits = 0;
      await session.deadLetters.walk("g", { pageMax: 50, signal: never }, async () => {
        visits++;
        return "stop";
      });
      assert.equal(visits, 1, "a walk went on although its visitor said stop");
      assert.equal(await session.deadLetters.count("g", never), 120, "a walk that kept or stopped removed letters");
    },
  },
  {
    promise: 9,
    title: "one walk per group at a time: a second one is BUSY, and works when the first has ended",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      const other = (await world.session()).session;
      await lettersDirectly(session, 3);
      await accepts(session, [wire("l.one", 1)], { target: { deadLetters: "h" } });
      const entered = gate();
      const leave = gate();
      const first = session.deadLetters.walk("g", { pageMax: 10, signal: never }, async (page) => {
        entered.open();
        await leave.opened;
        return page.map(() => "keep" as const);
      });
      first.catch(() => undefined); // awaited below, unless an assertion fails before
      await entered.opened;
      for (const second of [session, other])
        await assert.rejects(lettersOf(second, "g"), (error) => isHalyardError(error, "BUSY"), "a second walk must be BUSY");
      assert.equal((await lettersOf(other, "h")).length, 1, "another group's letters can be walked meanwhile");
      leave.open();
      await first;
      assert.equal((await lettersOf(other, "g")).length, 3, "after the first walk has ended another session can walk, and finds all that was kept");
    },
  },
  {
    promise: 9,
    title: "a walk that dies changes nothing",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      await lettersDirectly(session, 5);
      const dying = session.deadLetters.walk("g", { pageMax: 2, signal: never }, async () => {
        throw new Error("the visitor died");
      });
      await assert.rejects(dying, /the visitor died/, "what the visitor throws must come out of the walk as it is");
      assert.deepEqual(
        (await lettersOf(session, "g")).map(({ id }) => id),
        ["m0", "m1", "m2", "m3", "m4"],
        "a visitor that throws gives no verdict: every letter stays, in its order, and the next walk is let in",
      );
    },
  },
  {
    promise: 9,
    title: "a walk whose connection breaks leaves each letter in place, and the next walk is not BUSY for long",
    kind: "fault",
    area: "move",
    breaksItself: true,
    async run(world) {
      const steady = (await world.session({ steady: true })).session;
      const { session, line } = await world.session();
      await lettersDirectly(steady, 10);
      const broken = session.deadLetters.walk("g", { pageMax: 5, signal: never }, async (page) => {
        line.refuse();
        line.reset();
        await pause(50);
        return page.map(() => "remove" as const);
      });
      await assert.rejects(broken, "a walk must reject when its session ends, also while the visitor has not answered");
      let ids: readonly string[] = [];
      await world.until(async () => {
        const letters = await lettersOf(steady, "g").catch((error: unknown) => {
          if (isHalyardError(error, "BUSY")) return undefined;
          throw error;
        });
        ids = letters?.map(({ id }) => id) ?? [];
        return letters !== undefined;
      }, "the next walk is let in");
      assert.equal(new Set(ids).size, ids.length, "the walk after a broken one shows a letter twice");
      for (const index of numbers(5)) assert.ok(ids.includes(`m${5 + index}`), "a letter that no verdict was given about is gone");
    },
  },
  {
    promise: 9,
    title: "a redrive under a fault loses no letter",
    kind: "fault",
    area: "move",
    async run(world) {
      const steady = await world.bus({}, { steady: true });
      const shaky = await world.bus();
      await lettersDirectly((await world.session({ steady: true })).session, 50);
      const inbox = recorder();
      await steady.groups.define("g", { add: ["l.#"] });
      const redriving = shaky
        .deadLetters("g")
        .handle(({ id }) => {
          if (id === "m20") world.strike();
          return "redrive";
        })
        .catch(() => undefined);
      await pause(200);
      world.heal();
      await redriving;
      await steady.subscribe("l.#", { group: "g", concurrency: 10 }, inbox.handle);
      await world.until(async () => {
        const letters = await steady
          .deadLetters("g")
          .list({ limit: 1_000 })
          .catch(() => []);
        const ids = new Set([...letters.map(({ id }) => id), ...inbox.ids()]);
        return numbers(50).every((index) => ids.has(`m${index}`));
      }, "every letter is still a letter, or was redriven");
    },
  },
];
