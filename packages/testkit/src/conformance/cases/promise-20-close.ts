/** Promise 20: `close` drains. Nothing is lost, and what finished before it resolved is not delivered again. */
import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core";
import { parsePattern, type Session } from "@halyard/core/spi";
import type { ConformanceCase } from "../case.ts";
import { Ledger } from "../ledger.ts";
import { accepts, never, pull, receivesOne } from "../pull.ts";
import { counted, gate, numbers, pause, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";
import type { World } from "../world.ts";

/** A call on a session that is over needs no answer from anybody, so it has no reason to wait. */
const refusalMsMax = 4_000;

/** Ends a session in the middle of its life, and requires that every call on it is refused from then on. */
async function refusesAfter(world: World, session: Session, end: () => Promise<unknown>): Promise<void> {
  const member = await pull(session, "x.#", { group: "g" });
  const live = await pull(session, "x.#");
  await accepts(session, [wire("x.one", 1)]);
  const { receipt } = await receivesOne(member);
  const waiting = member.receive(1, never);
  waiting.catch(() => undefined); // looked at below
  await end();
  const { admin, deadLetters, history } = session;
  const group = { name: "g", from: "new", exclusive: false } as const;
  const patterns = [parsePattern("x.#")];
  const calls: Record<string, (() => Promise<unknown>) | undefined> = {
    "receive, waiting since before,": () => waiting,
    receive: () => member.receive(1, never),
    "receive of a live subscription": () => live.receive(1, never),
    settle: () => member.settle([{ receipt, outcome: { type: "ack" } }]),
    "settle with an empty list": () => member.settle([]),
    "settle of a live subscription": () => live.settle([]),
    "lease.extend": member.lease && (() => member.lease?.extend([receipt]) ?? Promise.resolve()),
    "lease.extend with an empty list": member.lease && (() => member.lease?.extend([]) ?? Promise.resolve()),
    publish: () => session.publish([wire("x.one", 2)], { signal: never }),
    "publish with an empty list": () => session.publish([], { signal: never }),
    "publish to a group": () => session.publish([wire("x.one", 3)], { signal: never, target: { group: "g" } }),
    subscribe: () => session.subscribe({ patterns, inFlightMax: 1, group }, never),
    "subscribe without a group": () => session.subscribe({ patterns, inFlightMax: 1 }, never),
    "deadLetters.count": () => deadLetters.count("g", never),
    "deadLetters.purge": () => deadLetters.purge("g", never),
    "deadLetters.walk": () => deadLetters.walk("g", { pageMax: 10, signal: never }, async (page) => page.map(() => "keep" as const)),
    "admin.ping": () => admin.ping(never),
    "admin.warnings": () => admin.warnings(never),
    "admin.defineGroup": () => admin.defineGroup("g", { add: [], drop: [] }, never),
    "admin.removeGroup": () => admin.removeGroup("none", never),
    "admin.purgeGroup": () => admin.purgeGroup("g", never),
    "admin.group": () => admin.group("g", never),
    "admin.groups": () => admin.groups(never),
    "admin.topics": () => admin.topics(never),
    "history.read": history && (() => history.read({ patterns, from: "start", limit: 1, signal: never })),
    "history.byId": history?.byId && (() => history.byId?.(["m"], never) ?? Promise.resolve()),
  };
  const answers = await Promise.all(Object.entries(calls).map(async ([what, call]) => (call === undefined ? [] : [`${what} ${await answerOf(call)}`])));
  const wrong = answers.flat().filter((answer) => !answer.endsWith(" rejected with CONNECTION_LOST"));
  assert.deepEqual(wrong, [], `on a session that is over, every call must reject with CONNECTION_LOST at once; these did not`);
  member.credit(1);
  const closes = [session, member, live, session, member].map((one) => answerOf(() => one.close()));
  assert.deepEqual(new Set(await Promise.all(closes)), new Set(["resolved"]), "close of a session that is over, and of its subscriptions, must resolve");
  await world.until(async () => (await Promise.race([session.closed.then(() => "over"), pause(0)])) === "over", "`closed` of a session that is over resolves");
}

/** What becomes of a call, in words. */
async function answerOf(call: () => Promise<unknown>): Promise<string> {
  const patience = new AbortController();
  try {
    return await Promise.race([
      Promise.resolve(call()).then(() => "resolved"),
      pause(refusalMsMax, patience.signal).then(() => `did not answer within ${refusalMsMax} ms`),
    ]);
  } catch (error) {
    return isHalyardError(error) ? `rejected with ${error.code}` : `rejected with ${String(error)}`;
  } finally {
    patience.abort();
  }
}

export const closeCases: readonly ConformanceCase[] = [
  {
    promise: 20,
    title: "close finishes what runs, gives back what has not started, and loses nothing",
    kind: "normal",
    async run(world) {
      const publisher = await world.bus();
      const held = gate();
      const closing = await world.bus();
      let finished = 0;
      const first = recorder(async () => {
        await held.opened;
        finished++;
      });
      await closing.subscribe("x.#", { group: "g", concurrency: 5, inFlightMax: 40 }, first.handle);
      await Promise.all(numbers(100).map((index) => publisher.publish("x.one", index)));
      await world.until(() => first.seen.length === 5 && closing.metrics().received === 40, "five run, the rest is buffered");
      const closed = closing.close();
      const second = recorder();
      await publisher.subscribe("x.#", { group: "g", concurrency: 5 }, second.handle);
      await world.until(() => second.seen.length >= 95, "another member gets what had not started");
      assert.equal(finished, 0, "a handler ended before it was let go");
      held.open();
      await closed;
      assert.equal(finished, 5, "close resolved before the handlers that ran had ended");
      await publisher.publish("x.end", "end");
      await world.until(() => second.payloads().includes("end"), "the end arrives");
      await pause(50);
      assert.equal(first.seen.length, 5, "a handler was started after close");
      assert.deepEqual(
        [...counted([...first.payloads(), ...second.payloads()])].filter(([, times]) => times > 1),
        [],
        "something was handled twice",
      );
      assert.equal(new Set([...first.payloads(), ...second.payloads()]).size, 101, "close lost a message that it should have given back");
      assert.ok(
        second.seen.every(({ attempt }) => attempt === 1),
        "giving back counted as an attempt",
      );
    },
  },
  {
    promise: 20,
    title: "under load, again and again, nothing is lost and nothing that finished comes again",
    kind: "limit",
    async run(world) {
      const publisher = await world.bus();
      await publisher.groups.define("g", { add: ["x.#"] });
      const finished: unknown[] = [];
      let published = 0;
      let isOver = false;
      const load = (async () => {
        while (!isOver) {
          await Promise.all(numbers(20).map(() => publisher.publish("x.one", published++)));
          await pause(2);
        }
      })();
      load.catch(() => undefined); // awaited below, unless something fails before
      for (let round = 0; round < 8; round++) {
        const member = await world.bus();
        await member.subscribe("x.#", { group: "g", concurrency: 8, inFlightMax: 50 }, async ({ payload }) => {
          await pause(Math.random() * 6);
          finished.push(payload);
        });
        await pause(60);
        await member.close();
      }
      isOver = true;
      await load;
      const rest = recorder();
      await publisher.subscribe("x.#", { group: "g", concurrency: 20, inFlightMax: 200 }, rest.handle);
      await world.until(() => new Set([...finished, ...rest.payloads()]).size === published, "all are handled");
      const repeated = [...counted([...finished, ...rest.payloads()])].filter(([, times]) => times > 1);
      assert.deepEqual(repeated, [], "what finished before close resolved came again");
      assert.equal(await publisher.deadLetters("g").count(), 0, "giving back at close counted towards a dead letter");
    },
  },
  {
    promise: 20,
    title: "close waits for open publishes",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      await bus.groups.define("g", { add: ["x.#"] });
      const open = numbers(200).map((index) => bus.publish("x.one", index));
      const settled = Promise.allSettled(open);
      await bus.close();
      assert.deepEqual(
        (await settled).filter(({ status }) => status === "rejected"),
        [],
        "close did not wait for publishes that were on their way",
      );
      const later = await world.bus();
      const inbox = recorder();
      await later.subscribe("x.#", { group: "g", concurrency: 20 }, inbox.handle);
      await world.until(() => inbox.seen.length === 200, "all were stored");
    },
  },
  {
    promise: 20,
    title: "a hung handler does not hold up close beyond its deadline; its signal aborts and its message comes back",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const other = await world.bus();
      let aborts = 0;
      const hung = recorder((_, { signal }) => {
        signal.addEventListener("abort", () => aborts++);
        return new Promise(() => undefined);
      });
      await bus.subscribe("x.#", { group: "g" }, hung.handle);
      await other.publish("x.one", "hung");
      await world.until(() => hung.seen.length === 1, "the handler hangs");
      const startMs = performance.now();
      await bus.close({ timeoutMs: 200 });
      assert.ok(performance.now() - startMs < 10_000, "close took far longer than its deadline");
      assert.equal(aborts, 1, "the signal of the handler that hangs must abort, once");
      const inbox = recorder();
      await other.subscribe("x.#", { group: "g" }, inbox.handle);
      await world.until(() => inbox.payloads().includes("hung"), "the message comes back");
    },
  },
  {
    promise: 20,
    title: "after close everything is CLOSED, closing again is harmless, and a subscription closes alone",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      const subscription = await bus.subscribe("x.#", { group: "g" }, inbox.handle);
      await bus.publish("x.one", 1);
      await world.until(() => subscription.stats().handled === 1, "it works");
      await Promise.all([subscription.close(), subscription.close()]);
      await bus.publish("x.one", 2);
      const again = await bus.subscribe("x.#", { group: "g" }, inbox.handle);
      await world.until(() => again.stats().handled === 1, "what came meanwhile waited");
      assert.deepEqual(inbox.payloads(), [1, 2], "what was acked before the subscription closed came again, or what came meanwhile was lost");
      await Promise.all([bus.close(), bus.close()]);
      await bus.close();
      for (const call of [
        () => bus.publish("x", 1),
        () => bus.subscribe("x", {}, () => undefined),
        () => bus.groups.list(),
        () => bus.deadLetters("g").count(),
      ]) {
        await assert.rejects(
          async () => call(),
          (error) => isHalyardError(error, "CLOSED"),
          "a call on a bus that is closed must be refused with CLOSED",
        );
      }
    },
  },
  {
    promise: 20,
    title: "once a session is closed, every call on it and on its subscriptions rejects with CONNECTION_LOST and none hangs",
    kind: "limit",
    async run(world) {
      const { session } = await world.session({ steady: true });
      await refusesAfter(world, session, () => session.close());
      assert.equal(await session.closed, undefined, "`closed` must resolve without an error where somebody asked for the end");
    },
  },
  {
    promise: 20,
    title: "once a session is lost, every call on it and on its subscriptions rejects with CONNECTION_LOST and none hangs",
    kind: "fault",
    area: "close",
    breaksItself: true,
    async run(world) {
      const { session } = await world.session();
      await refusesAfter(world, session, async () => {
        world.disconnect();
        assert.ok((await session.closed) instanceof Error, "`closed` must resolve with an error where the connection was lost");
      });
    },
  },
  {
    promise: 20,
    title: "a paused subscription gives back what has not started and takes nothing until it resumes",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const other = await world.bus();
      const held = gate();
      const inbox = recorder(() => held.opened);
      const subscription = await bus.subscribe("x.#", { group: "g", concurrency: 2, inFlightMax: 10 }, inbox.handle);
      await Promise.all(numbers(10).map((index) => other.publish("x.one", index)));
      await world.until(() => subscription.stats().inFlight === 10, "its window is full");
      subscription.pause();
      const taking = recorder();
      const member = await other.subscribe("x.#", { group: "g" }, taking.handle);
      await world.until(() => taking.seen.length === 8, "another member gets what had not started");
      await member.close();
      held.open();
      await other.publish("x.one", "paused");
      await pause(100);
      assert.equal(inbox.seen.length, 2, "a paused subscription started a handler: after `credit(0)` nothing more may be handed over");
      subscription.resume();
      await world.until(() => inbox.payloads().includes("paused"), "it goes on");
    },
  },
  {
    promise: 20,
    title: "close under a fault ends within its deadline and loses nothing",
    kind: "fault",
    area: "close",
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const closing = await world.bus();
      const ledger = new Ledger();
      await closing.subscribe("x.#", { group: "g", concurrency: 5, inFlightMax: 50 }, async (message) => {
        await pause(20);
        ledger.note(message);
      });
      await Promise.all(numbers(100).map((index) => ledger.publish(publisher, "x.one", `m${index}`)));
      await world.until(() => ledger.handled.size > 5, "it is at work");
      world.strike();
      const startMs = performance.now();
      await closing.close({ timeoutMs: 1_000 });
      assert.ok(performance.now() - startMs < 15_000, "close took far longer than its deadline");
      world.heal();
      await publisher.subscribe("x.#", { group: "g", concurrency: 5 }, ledger.note);
      await ledger.closes(world, publisher, "g");
    },
  },
];
