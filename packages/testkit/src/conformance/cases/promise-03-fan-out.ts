/** Promise 3: live subscriptions get everything while connected; of a group one member gets each message; groups do not influence each other. */
import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core";
import type { ConformanceCase } from "../case.ts";
import { counted, gate, numbers, pause, recorder } from "../recorder.ts";

export const fanOutCases: readonly ConformanceCase[] = [
  {
    promise: 3,
    title: "every live subscription gets every message, on its own bus or another",
    kind: "normal",
    async run(world) {
      const buses = [await world.bus(), await world.bus()];
      const inboxes = [recorder(), recorder(), recorder()];
      for (const [index, inbox] of inboxes.entries()) await buses[index % 2]?.subscribe("news.*", {}, inbox.handle);
      const [bus] = buses;
      await Promise.all(numbers(50).map((index) => bus?.publish("news.one", index)));
      await world.until(() => inboxes.every(({ seen }) => seen.length >= 50), "all get all");
      for (const inbox of inboxes) assert.deepEqual(new Set(inbox.payloads()), new Set(numbers(50)));
    },
  },
  {
    promise: 3,
    title: "a live subscription gets nothing from before it was there, nor after it closed",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      await bus.publish("news.one", "before");
      const inbox = recorder();
      const subscription = await bus.subscribe("news.*", {}, inbox.handle);
      await bus.publish("news.one", "during");
      await world.until(() => inbox.seen.length > 0, "it arrives");
      await subscription.close();
      const witness = recorder();
      await bus.subscribe("news.*", {}, witness.handle);
      await bus.publish("news.one", "after");
      await world.until(() => witness.seen.length > 0, "the witness hears the last one");
      assert.deepEqual(inbox.payloads(), ["during"]);
    },
  },
  {
    promise: 3,
    title: "a message that matches two patterns of one subscription arrives once",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const live = recorder();
      const group = recorder();
      await bus.subscribe(["news.*", "news.#", "*.one"], {}, live.handle);
      await bus.subscribe(["news.*", "news.#", "*.one"], { group: "g" }, group.handle);
      for (const index of numbers(10)) await bus.publish("news.one", index);
      await bus.publish("end.one", "end");
      await world.until(() => live.payloads().includes("end") && group.payloads().includes("end"), "the last one arrives");
      assert.equal(live.seen.length, 11);
      assert.equal(group.seen.length, 11);
    },
  },
  {
    promise: 3,
    title: "repeats of one id reach a live subscription once",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      await bus.subscribe("news.*", {}, inbox.handle);
      for (let time = 0; time < 3; time++) await bus.publish("news.one", "same", { id: "same-id" });
      await bus.publish("news.one", "end");
      await world.until(() => inbox.payloads().includes("end"), "the last one arrives");
      assert.deepEqual(inbox.payloads(), ["same", "end"]);
    },
  },
  {
    promise: 3,
    title: "a failing live handler is retried in its process, reported, and nobody else sees it again",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const failing = recorder(({ payload }) => {
        if (payload === "bad") throw new Error("always");
      });
      const witness = recorder();
      const drops: string[] = [];
      bus.on("message-drop", ({ id, reason }) => void drops.push(`${id} ${reason}`));
      await bus.subscribe("news.*", {}, failing.handle);
      await bus.subscribe("news.*", {}, witness.handle);
      await bus.publish("news.one", "bad", { id: "bad" });
      await bus.publish("news.one", "good");
      await world.until(() => failing.payloads().includes("good") && drops.length > 0, "it is given up and the next one handled");
      assert.deepEqual(
        failing.seen.filter(({ message }) => message.id === "bad").map(({ attempt }) => attempt),
        [1, 2, 3],
      );
      assert.deepEqual(drops, ["bad failed"]);
      assert.deepEqual(witness.payloads(), ["bad", "good"]);
    },
  },
  {
    promise: 3,
    title: "a failing live handler dead-letters into the group that is named for it",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      await bus.subscribe("news.*", { deadLetter: "lost-news" }, () => {
        throw new Error("always");
      });
      await bus.publish("news.one", "bad", { id: "bad" });
      await world.until(async () => (await bus.deadLetters("lost-news").count()) === 1, "the letter is there");
      assert.equal((await bus.deadLetters("lost-news").get("bad"))?.error?.message, "always");
    },
  },
  {
    promise: 3,
    title: "each message of a group goes to one member",
    kind: "normal",
    async run(world) {
      const publisher = await world.bus();
      const inboxes = [recorder(() => pause(1)), recorder(() => pause(1)), recorder(() => pause(1))];
      for (const inbox of inboxes) await (await world.bus()).subscribe("work.#", { group: "g", concurrency: 2 }, inbox.handle);
      await Promise.all(numbers(150).map((index) => publisher.publish("work.one", index)));
      const sum = (): number => inboxes.reduce((total, { seen }) => total + seen.length, 0);
      await world.until(() => sum() >= 150, "all arrive");
      await publisher.publish("work.end", "end");
      await world.until(() => sum() >= 151, "the last one arrives");
      assert.equal(sum(), 151, "some arrived twice");
      assert.equal(counted(inboxes.flatMap((inbox) => inbox.ids())).size, 151);
      assert.ok(
        inboxes.every(({ seen }) => seen.length > 0),
        "a member got nothing at all",
      );
    },
  },
  {
    promise: 3,
    title: "every group gets every message, and a failing or slow one does not touch the others",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const stuck = gate();
      const failing = recorder(() => {
        throw new Error("always");
      });
      const good = recorder();
      await bus.subscribe("work.#", { group: "stuck" }, () => stuck.opened);
      await bus.subscribe("work.#", { group: "failing", concurrency: 10 }, failing.handle);
      await bus.subscribe("work.#", { group: "good", concurrency: 10 }, good.handle);
      await Promise.all(numbers(50).map((index) => bus.publish("work.one", index)));
      await world.until(async () => (await bus.deadLetters("failing").count()) === 50, "the failing group is through");
      await bus.publish("work.end", "end");
      await world.until(() => good.payloads().includes("end"), "the good group goes on");
      assert.equal(good.seen.length, 51, "the good group saw something twice or not at all");
      assert.ok(good.seen.every(({ attempt }) => attempt === 1));
      stuck.open();
    },
  },
  {
    promise: 3,
    title: "no object is shared between two groups",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const spoil = recorder(({ payload, headers }) => {
        for (const target of [payload, headers] as Record<string, unknown>[]) {
          try {
            target.word = "spoilt";
          } catch {
            // frozen: as good as a copy
          }
        }
      });
      const copies = [recorder(), recorder()];
      await bus.subscribe("share.#", { group: "a" }, spoil.handle);
      await bus.subscribe("share.#", {}, spoil.handle);
      const payload = { word: "clean" };
      const headers = { word: "clean" };
      await bus.subscribe("share.#", { group: "b" }, copies[0]?.handle ?? spoil.handle);
      await bus.subscribe("share.#", {}, copies[1]?.handle ?? spoil.handle);
      await bus.publish("share.one", payload, { headers });
      await world.until(() => spoil.seen.length === 2 && copies.every(({ seen }) => seen.length === 1), "all four get it");
      for (const { seen } of copies) {
        assert.deepEqual(seen[0]?.message.payload, { word: "clean" });
        assert.equal(seen[0]?.message.headers.word, "clean");
      }
      assert.deepEqual([payload, headers], [{ word: "clean" }, { word: "clean" }], "the publisher's own objects were changed");
    },
  },
  {
    promise: 3,
    title: "an answer goes to the group that was named, in the same conversation, and nowhere else",
    kind: "normal",
    async run(world) {
      const asking = await world.bus();
      const answering = await world.bus();
      const answers = recorder();
      const others = recorder();
      await asking.subscribe("answers.of.asking", { group: "asking" }, answers.handle);
      await asking.subscribe("answer.#", { group: "others" }, others.handle);
      const refusals: unknown[] = [];
      await answering.subscribe("question.#", { group: "answering" }, async (message, context) => {
        if (message.replyTo === undefined) await context.reply("answer.given", 0).catch((error: unknown) => refusals.push(error));
        else await context.reply("answer.given", `answer to ${message.payload}`);
      });
      const { id } = await asking.publish("question.one", "question", { replyTo: "asking" });
      await asking.publish("question.two", "nobody asks");
      await world.until(() => answers.seen.length === 1 && refusals.length === 1, "the answer comes, and the other handler hears that nobody asks");
      const [answer] = answers.seen;
      assert.deepEqual([answer?.message.payload, answer?.message.correlationId, answer?.message.causationId], ["answer to question", id, id]);
      assert.ok(isHalyardError(refusals[0], "INVALID_OPTIONS"));
      assert.equal(others.seen.length, 0, "an answer was seen by another group");
    },
  },
  {
    promise: 3,
    title: "a live subscription that cannot keep up drops the oldest and reports the gap",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const publisher = await world.bus();
      const gaps: (number | undefined)[] = [];
      bus.on("gap", ({ count }) => void gaps.push(count));
      const first = gate();
      const inbox = recorder(() => first.opened);
      await bus.subscribe("flood.#", { inFlightMax: 10 }, inbox.handle);
      const body = "x".repeat(20_000);
      for (let wave = 0; wave < 20; wave++) await Promise.all(numbers(50).map((index) => publisher.publish("flood.one", { index: wave * 50 + index, body })));
      await world.until(() => gaps.length > 0, "the gap is reported while the handler is slow");
      first.open();
      await publisher.publish("flood.end", { index: "end" });
      const indexes = (): unknown[] => inbox.payloads().map((payload) => (payload as { index: unknown }).index);
      await world.until(() => indexes().includes("end"), "it goes on after the gap");
      assert.ok(indexes().length < 1_001, "nothing was dropped, so its buffer has no bound");
      assert.ok(indexes().includes(999), "the newest was dropped instead of the oldest");
      if (gaps.every((count) => count !== undefined)) {
        const missed = gaps.reduce((total: number, count) => total + (count ?? 0), 0);
        await world.until(
          () => inbox.seen.length + gaps.reduce((total: number, count) => total + (count ?? 0), 0) === 1_001,
          () => `missed (${missed}) and handled (${inbox.seen.length}) add up to 1001`,
        );
      }
    },
  },
  {
    promise: 3,
    title: "a live subscription comes back after a fault and reports its gap where the session ended",
    kind: "fault",
    area: "subscribe",
    async run(world) {
      const listener = await world.bus();
      const publisher = await world.bus({}, { steady: true });
      const inbox = recorder();
      let gaps = 0;
      let losses = 0;
      listener.on("gap", () => void gaps++);
      listener.on("connection-loss", () => void losses++);
      await listener.subscribe("news.*", {}, inbox.handle);
      await publisher.publish("news.one", "before");
      await world.until(() => inbox.seen.length === 1, "it arrives before the fault");
      world.strike();
      await pause(50);
      await publisher.publish("news.one", "during");
      world.heal();
      let index = 0;
      await world.until(async () => {
        await publisher.publish("news.one", index++);
        return inbox.seen.some(({ message }) => typeof message.payload === "number");
      }, "messages arrive again after the fault");
      if (world.fault.endsSessions) await world.until(() => losses > 0, "the loss of the connection is an event");
      // A fault that the connection outlived is no gap: nothing may be missing then.
      if (losses > 0) await world.until(() => gaps > 0, "what was missed while disconnected is a gap event");
      else await world.until(() => inbox.payloads().includes("during"), "the session outlived the fault, so nothing may be missing");
      const repeated = [...counted(inbox.ids())].filter(([, times]) => times > 1);
      assert.deepEqual(repeated, [], "a live subscription got one id twice");
    },
  },
];
