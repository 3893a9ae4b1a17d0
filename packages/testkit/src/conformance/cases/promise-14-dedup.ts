/** Promise 14: the same id on one topic within the window is accepted once per group; what Halyard itself repeats is never suppressed. */
import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core";
import type { Capabilities } from "@halyard/core/spi";
import type { ConformanceCase } from "../case.ts";
import { accepts, never, pull, receives, receivesNothing } from "../pull.ts";
import { numbers, pause, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";

/** Longer windows are not waited for. */
const shortWindowMs = 2_000;
const dedups = ({ dedupMs }: Capabilities): string | undefined => (dedupMs === 0 ? "it recognises no repeated ids" : undefined);

export const dedupCases: readonly ConformanceCase[] = [
  {
    promise: 14,
    title: "a repeated id is accepted once per group and says so",
    kind: "normal",
    needs: dedups,
    async run(world) {
      const bus = await world.bus();
      const other = await world.bus();
      const inboxes = [recorder(), recorder()];
      for (const [index, inbox] of inboxes.entries()) await bus.subscribe("u.#", { group: `g${index}` }, inbox.handle);
      const receipts = [];
      for (const publisher of [bus, bus, other]) receipts.push(await publisher.publish("u.one", "same", { id: "same" }));
      assert.deepEqual(
        receipts.map(({ duplicate }) => duplicate),
        [false, true, true],
      );
      await Promise.all(numbers(20).map(() => bus.publish("u.one", "burst", { id: "burst" })));
      await bus.publish("u.one", "end");
      await world.until(() => inboxes.every((inbox) => inbox.payloads().includes("end")), "the end arrives");
      for (const inbox of inboxes) assert.deepEqual(inbox.payloads(), ["same", "burst", "end"]);
    },
  },
  {
    promise: 14,
    title: "the same id on another topic is another message",
    kind: "limit",
    needs: dedups,
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      await bus.subscribe("u.#", { group: "g" }, inbox.handle);
      const first = await bus.publish("u.one", 1, { id: "same" });
      const second = await bus.publish("u.two", 2, { id: "same" });
      assert.deepEqual([first.duplicate, second.duplicate], [false, false]);
      await world.until(() => inbox.seen.length >= 2, "both arrive");
      assert.deepEqual([...inbox.payloads()].sort(), [1, 2]);
    },
  },
  {
    promise: 14,
    title: "the same id with another body is ID_REUSED where the broker can tell, and never stored",
    kind: "limit",
    needs: dedups,
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      await bus.subscribe("u.#", { group: "g" }, inbox.handle);
      await bus.publish("u.one", "first", { id: "same" });
      const second = await bus.publish("u.one", "second", { id: "same" }).catch((error: unknown) => error);
      if (second instanceof Error) assert.ok(isHalyardError(second, "ID_REUSED"), String(second));
      else assert.equal((second as { duplicate: boolean }).duplicate, true);
      await bus.publish("u.one", "end");
      await world.until(() => inbox.payloads().includes("end"), "the end arrives");
      assert.deepEqual(inbox.payloads(), ["first", "end"]);
    },
  },
  {
    promise: 14,
    title: "an id is recognised in one batch, across sessions and after a first sending",
    kind: "limit",
    needs: dedups,
    async run(world) {
      const { session } = await world.session();
      const other = (await world.session()).session;
      const subscription = await pull(session, "u.#", { group: "g" });
      const message = wire("u.one", 1, { id: "same" });
      await accepts(session, [message], { isFirstSend: true });
      const again = await session.publish([message, wire("u.one", 2, { id: "new" }), message], { signal: never });
      assert.deepEqual(
        again?.map((status) => status.status === "accepted" && status.duplicate === true),
        [true, false, true],
        "which of the three the session called duplicates (isFirstSend only says that nobody can have used the id before: it must be remembered all the same)",
      );
      const elsewhere = await other.publish([message], { signal: never });
      assert.equal(elsewhere?.[0]?.status === "accepted" && elsewhere[0].duplicate, true, "another session does not recognise the id");
      const deliveries = await receives(subscription, 2);
      assert.deepEqual(deliveries.map(({ message: { id } }) => id).sort(), ["new", "same"]);
      await receivesNothing(subscription, "a repeat was stored");
    },
  },
  {
    promise: 14,
    title: "retries, hand-backs, dead letters and redrives are never suppressed",
    kind: "limit",
    needs: dedups,
    async run(world) {
      const bus = await world.bus();
      let isHealed = false;
      const inbox = recorder(() => {
        if (!isHealed) throw new Error("not yet");
      });
      const subscription = await bus.subscribe("u.#", { group: "g" }, inbox.handle);
      for (let round = 1; round <= 2; round++) {
        if (round === 1) await bus.publish("u.one", 1, { id: "same" });
        else await bus.deadLetters("g").redrive("same");
        await world.until(() => inbox.seen.length === round * 3, `round ${round}: three attempts`);
        await world.until(async () => (await bus.deadLetters("g").count()) === 1, `round ${round}: the letter is there`);
      }
      subscription.pause();
      isHealed = true;
      await bus.deadLetters("g").redrive("same");
      subscription.resume();
      await world.until(() => inbox.seen.length === 7, "redriven once more");
      await world.until(() => subscription.stats().handled === 1, "handled at last");
    },
  },
  {
    promise: 14,
    title: "after the window the id is new again, and not before",
    kind: "limit",
    isTimed: true,
    twin: "after a short window the id is new again",
    needs: dedups,
    async run(world) {
      const { dedupMs } = world.capabilities;
      const { session } = await world.session();
      const message = wire("u.one", 1, { id: "same", timeMs: world.clock.nowMs() });
      const isDuplicate = async (): Promise<boolean> => {
        const statuses = await session.publish([message], { signal: never });
        return statuses?.[0]?.status === "accepted" && statuses[0].duplicate === true;
      };
      assert.equal(await isDuplicate(), false);
      await world.advance(dedupMs - 1);
      assert.equal(await isDuplicate(), true, "it was forgotten within the window");
      // A backend may remember a little longer; for ever would fill its memory.
      await world.advance(dedupMs * 2);
      assert.equal(await isDuplicate(), false, "it is remembered far beyond the window");
    },
  },
  {
    promise: 14,
    title: "after a short window the id is new again",
    kind: "limit",
    // Only a suite that sets such a window is asked; it is no gap where the other one runs in simulated time.
    absence: "moot",
    needs: ({ dedupMs }) => (dedupMs === 0 ? "it recognises no repeated ids" : dedupMs > shortWindowMs ? "its window is too long to wait for" : undefined),
    async run(world) {
      const { session } = await world.session();
      const message = wire("u.one", 1, { id: "same" });
      const isDuplicate = async (): Promise<boolean> => {
        const statuses = await session.publish([message], { signal: never });
        return statuses?.[0]?.status === "accepted" && statuses[0].duplicate === true;
      };
      assert.equal(await isDuplicate(), false);
      assert.equal(await isDuplicate(), true, "it was forgotten within the window");
      // A repeat may renew the window, so nobody asks meanwhile. Brokers look for what is old in their own time.
      await pause(world.capabilities.dedupMs * 3);
      assert.equal(await isDuplicate(), false, "it is remembered far beyond the window");
    },
  },
];
