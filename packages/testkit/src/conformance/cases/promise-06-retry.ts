/** Promise 6: ack is final; a retry comes back no sooner than its delay, to its own group only, and holds nobody's slot. */
import assert from "node:assert/strict";
import { type ConformanceCase, firstReason } from "../case.ts";
import { Ledger } from "../ledger.ts";
import { accepts, moveTo, pull, receivesNothing, receivesOne, settles } from "../pull.ts";
import { gate, numbers, pause, recorder } from "../recorder.ts";
import { textOf, wire } from "../wire.ts";

export const retryCases: readonly ConformanceCase[] = [
  {
    promise: 6,
    title: "what was acked never comes again, to no member",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const first = recorder();
      await bus.subscribe("r.#", { group: "g", concurrency: 10 }, first.handle);
      await Promise.all(numbers(100).map((index) => bus.publish("r.one", index)));
      await world.until(() => first.seen.length >= 100, "all are handled");
      await bus.close();
      const later = await world.bus();
      const second = recorder();
      await later.subscribe("r.#", { group: "g" }, second.handle);
      await later.publish("r.one", "end");
      await world.until(() => second.seen.length > 0, "the end arrives");
      await pause(100);
      assert.deepEqual(second.payloads(), ["end"], "something came again that was acked before its bus closed: `close` must flush acks");
      assert.equal(first.seen.length, 100, "something was handled twice although it was acked");
    },
  },
  {
    promise: 6,
    title: "a settlement is done once; repeating it is harmless",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "r.#", { group: "g" });
      await accepts(session, [wire("r.one", 1), wire("r.one", 2)]);
      const first = await receivesOne(subscription);
      await settles(subscription, first);
      const [status] = (await subscription.settle([{ receipt: first.receipt, outcome: { type: "release" } }])) ?? [];
      assert.notEqual(status, "failed", "a receipt that was settled before is stale: failed would make core try it again");
      const second = await receivesOne(subscription);
      assert.notEqual(second.message.id, first.message.id, "releasing after the ack brought it back");
      await settles(subscription, second);
      await receivesNothing(subscription, "something acked came again");
    },
  },
  {
    promise: 6,
    title: "a failed message comes again with attempt + 1 and the same id, no sooner than its delay, to its own group only",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const failing = recorder((_, { attempt }) => {
        if (attempt < 3) throw new Error("not yet");
      });
      const other = recorder();
      await bus.subscribe("r.#", { group: "g", retry: { delayMs: 120, factor: 1 } }, failing.handle);
      await bus.subscribe("r.#", { group: "other" }, other.handle);
      await bus.subscribe("r.#", {}, other.handle);
      const { id } = await bus.publish("r.one", { n: 1 }, { headers: { note: "kept" }, key: "k" });
      await world.until(() => failing.seen.length >= 3, "the third attempt");
      assert.deepEqual(
        failing.seen.map(({ attempt }) => attempt),
        [1, 2, 3],
        "attempts do not count up: carry `attempt` unchanged with the copy of a move",
      );
      assert.deepEqual(new Set(failing.ids()), new Set([id]), "a retry came under another id: the copy of a move keeps the id of its message");
      for (const index of [1, 2]) {
        const waitedMs = (failing.seen[index]?.atMs ?? 0) - (failing.seen[index - 1]?.atMs ?? 0);
        assert.ok(waitedMs >= 120 - world.graceMs, `attempt ${index + 1} came after ${waitedMs} ms instead of 120`);
      }
      const last = failing.seen.at(-1)?.message;
      assert.deepEqual([last?.payload, last?.headers.note, last?.key], [{ n: 1 }, "kept", "k"], "a retry lost its payload, a header or its key");
      await bus.publish("r.end", "end");
      await world.until(() => other.payloads().filter((payload) => payload === "end").length === 2, "the others get the end");
      assert.equal(other.seen.length, 4, "another group or a live subscription saw the retry");
    },
  },
  {
    promise: 6,
    title: "a move to the inbox stores the copy given, after its delay, and removes the original",
    kind: "normal",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "r.#", { group: "g" });
      await accepts(session, [wire("r.one", "original")]);
      const delivery = await receivesOne(subscription);
      const startMs = performance.now();
      await settles(subscription, delivery, moveTo("inbox", { ...delivery.message, attempt: 2, headers: { note: "moved" } }, 200));
      const again = await receivesOne(subscription);
      const waitedMs = performance.now() - startMs;
      assert.ok(waitedMs >= 200 - world.graceMs, `it came after ${waitedMs} ms instead of 200`);
      const { id, attempt, topic, headers } = again.message;
      assert.deepEqual(
        [id, attempt, topic, headers.note, textOf(again.message)],
        [delivery.message.id, 2, "r.one", "moved", '"original"'],
        "a move must store the message that it was given, not the original: id, attempt, topic, a header and the body",
      );
      await settles(subscription, again);
      await receivesNothing(subscription, "the original is still there");
    },
  },
  {
    promise: 6,
    title: "a release brings the message back soon, its attempt unchanged",
    kind: "normal",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "r.#", { group: "g" });
      await accepts(session, [wire("r.one", 1)]);
      const delivery = await receivesOne(subscription);
      await settles(subscription, delivery, { type: "release" });
      const again = await receivesOne(subscription);
      assert.equal(again.message.id, delivery.message.id, "what was released came back under another id");
      assert.equal(again.message.attempt, 1, "a release was counted as an attempt: nothing was tried");
      assert.ok(again.deliveries >= 1, `deliveries counts this hand-over too, so it is never below 1; it says ${again.deliveries}`);
      await settles(subscription, again);
    },
  },
  {
    promise: 6,
    title: "a waiting retry holds no slot of its consumer",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder(({ payload }) => {
        if (payload === "late") throw new Error("not yet");
      });
      await bus.subscribe("r.#", { group: "g", concurrency: 1, inFlightMax: 1, retry: { delayMs: 60_000, delayMsMax: 60_000 } }, inbox.handle);
      for (let index = 0; index < 5; index++) await bus.publish("r.one", "late");
      await bus.publish("r.one", "now");
      await world.until(() => inbox.payloads().includes("now"), "new messages flow past waiting retries");
    },
  },
  {
    promise: 6,
    title: "10,000 waiting retries do not stop new messages",
    kind: "limit",
    isAlone: true,
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder(({ payload }) => {
        if (payload === "late") throw new Error("not yet");
      });
      const retry = { delayMs: 600_000, delayMsMax: 600_000 };
      const subscription = await bus.subscribe("r.#", { group: "g", concurrency: 100, retry }, inbox.handle);
      for (let wave = 0; wave < 10; wave++) await Promise.all(numbers(1_000).map(() => bus.publish("r.one", "late")));
      await world.until(() => subscription.stats().retried >= 10_000, "all wait for their retry");
      await Promise.all(numbers(100).map((index) => bus.publish("r.one", index)));
      await world.until(() => inbox.seen.length >= 10_100, "new messages flow");
      await bus.groups.remove("g");
    },
  },
  {
    promise: 6,
    title: "the handler can ask for a retry, with a delay of its own",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder((_, context) => {
        if (context.attempt === 1) context.retry(150);
      });
      await bus.subscribe("r.#", { group: "g" }, inbox.handle);
      await bus.publish("r.one", 1);
      await world.until(() => inbox.seen.length >= 2, "the retry that the handler asked for comes");
      const waitedMs = (inbox.seen[1]?.atMs ?? 0) - (inbox.seen[0]?.atMs ?? 0);
      assert.ok(waitedMs >= 150 - world.graceMs, `it came after ${waitedMs} ms instead of 150`);
      assert.equal(inbox.seen[1]?.attempt, 2, "a retry that the handler asked for is an attempt like any other");
    },
  },
  {
    promise: 6,
    title: "who settles by hand gets the same: ack, retry, release and dead letter, and what is left unsettled comes again",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      await bus.groups.define("g", { add: ["r.#"] });
      for (const payload of ["ack", "release", "dead", "retry"]) await bus.publish("r.one", payload, { id: payload });
      const runs = new Set<string>();
      for await (const { message, context, ack, retry, release, deadLetter } of bus.deliveries("r.#", { group: "g" })) {
        const run = `${String(message.payload)} ${context.attempt}`;
        const isFirst = !runs.has(run);
        runs.add(run);
        if (run === "leave 1") break;
        if (run === "dead 1") deadLetter("by hand");
        else if (run === "retry 1") retry({ delayMs: 5 });
        else if (run === "release 1" && isFirst) release();
        else ack();
        if (run === "retry 2") await bus.publish("r.one", "leave", { id: "leave" });
      }
      const wanted = ["ack 1", "dead 1", "leave 1", "release 1", "retry 1", "retry 2"];
      assert.deepEqual([...runs].sort(), wanted, "settling by hand gave other attempts: only a retry raises `attempt`, and what is dead or acked ends");
      const inbox = recorder();
      await bus.subscribe("r.#", { group: "g" }, inbox.handle);
      await world.until(() => inbox.payloads().includes("leave"), "what was left unsettled comes again");
      assert.equal(
        (await bus.deadLetters("g").get("dead"))?.error?.message,
        "by hand",
        "the letter that was made by hand is missing or lost its reason, a header",
      );
      assert.ok(!inbox.payloads().includes("ack"), "what was acked by hand came again");
    },
  },
  {
    promise: 6,
    title: "ack: received settles before the handler runs, and never retries",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder(({ payload }) => {
        if (payload === "bad") throw new Error("as asked");
      });
      await bus.subscribe("r.#", { group: "g", ack: "received" }, inbox.handle);
      await bus.publish("r.one", "bad");
      await bus.publish("r.one", "good");
      await world.until(() => inbox.payloads().includes("good"), "the next one arrives");
      await pause(100);
      assert.deepEqual(inbox.payloads(), ["bad", "good"], "what was settled on receipt came again, or something was lost although the connection held");
      assert.equal(await bus.deadLetters("g").count(), 0, "what was settled on receipt cannot become a dead letter");
    },
  },
  {
    promise: 6,
    title: "a waiting retry survives the death of the consumer that failed",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const publisher = await world.bus();
      const subscription = await bus.subscribe("r.#", { group: "g", retry: { delayMs: 400 } }, () => {
        throw new Error("as asked");
      });
      const { id } = await publisher.publish("r.one", 1);
      await world.until(() => subscription.stats().retried === 1, "the retry waits");
      world.kill(bus);
      const inbox = recorder();
      await publisher.subscribe("r.#", { group: "g" }, inbox.handle);
      await world.until(() => inbox.seen.length >= 1, "another member gets the retry");
      assert.deepEqual(inbox.ids(), [id], "the retry of a dead consumer came more than once, or something else came");
      assert.ok(
        inbox.seen.some(({ attempt }) => attempt === 2),
        "its attempt was forgotten",
      );
    },
  },
  {
    promise: 6,
    title: "settlements under a fault: nothing accepted is lost, and what was acked before stays acked",
    kind: "fault",
    area: "settle",
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const consumer = await world.bus();
      const ledger = new Ledger();
      const held = gate();
      let started = 0;
      await consumer.subscribe("s.#", { group: "g", concurrency: 20, inFlightMax: 40 }, async (message) => {
        started++;
        if (started > 50) await held.opened;
        ledger.note(message);
      });
      await Promise.all(numbers(200).map((index) => ledger.publish(publisher, "s.one", `m${index}`)));
      await world.until(() => started > 60, "handlers are at work");
      world.strike();
      held.open();
      await pause(200);
      world.heal();
      await ledger.publish(publisher, "s.last", "last");
      await ledger.closes(world, publisher, "g");
      await consumer.close({ timeoutMs: 10_000 });
      const seenBefore = ledger.handled.size;
      assert.equal(seenBefore, 201, "something ended in the dead letters although no handler failed");
      const later = recorder();
      await publisher.subscribe("s.#", { group: "g", concurrency: 10 }, later.handle);
      await publisher.publish("s.end", "end", { id: "end" });
      await world.until(() => later.ids().includes("end"), "the group goes on");
      if (world.fault.name === "latency" || world.fault.name === "slicer")
        assert.deepEqual(later.ids(), ["end"], "something acked came again although the connection held");
    },
  },
  {
    promise: 6,
    title: "retries under a fault: nothing accepted is lost",
    kind: "fault",
    area: "move",
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const consumer = await world.bus();
      const ledger = new Ledger();
      const retry = { attemptsMax: 20, delayMs: 30, factor: 1 };
      const subscription = await consumer.subscribe("s.#", { group: "g", concurrency: 10, retry }, (message, { attempt }) => {
        if (attempt < 3 && message.id !== "last") throw new Error("not yet");
        ledger.note(message);
      });
      await Promise.all(numbers(100).map((index) => ledger.publish(publisher, "s.one", `m${index}`)));
      await world.until(() => subscription.stats().retried > 20, "retries are on their way");
      world.strike();
      await pause(200);
      world.heal();
      await ledger.publish(publisher, "s.last", "last");
      await ledger.closes(world, publisher, "g");
      assert.equal(ledger.handled.size, 101, "a retry ended in the dead letters although attempts were left");
    },
  },
  {
    promise: 6,
    title: "a waiting retry survives a restart of the broker",
    kind: "limit",
    isAlone: true,
    absence: "ends-with-process",
    needs: ({ durable }, { restartBroker }) => firstReason([!durable, "it is not durable"], [!restartBroker, "the suite cannot restart its broker"]),
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder((_, { attempt }) => {
        if (attempt === 1) throw new Error("not yet");
      });
      const subscription = await bus.subscribe("r.#", { group: "g", retry: { delayMs: 3_000 } }, inbox.handle);
      await bus.publish("r.one", 1);
      await world.until(() => subscription.stats().retried === 1, "the retry waits");
      await world.subject.restartBroker?.();
      await world.until(() => inbox.seen.some(({ attempt }) => attempt === 2), "the retry comes");
    },
  },
];
