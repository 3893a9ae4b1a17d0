/** Promise 11: long handlers keep their messages, hung ones are timed out, and nobody settles what was taken away. */
import assert from "node:assert/strict";
import { wrapped } from "../../faulty/wrap.ts";
import type { ConformanceCase } from "../case.ts";
import { Ledger } from "../ledger.ts";
import { accepts, pull, receivesNothing, receivesOne, settles } from "../pull.ts";
import { gate, numbers, pause, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";

/** Leases longer than this are not waited for. */
const leaseMsMax = 10_000;

const shortLease = (_: unknown, { leaseMs }: { readonly leaseMs: number | undefined }): string | undefined =>
  leaseMs === undefined ? "it takes nothing back by time" : leaseMs > leaseMsMax ? `its lease of ${leaseMs} ms is too long to wait for` : undefined;

export const leaseCases: readonly ConformanceCase[] = [
  {
    promise: 11,
    title: "a handler that runs longer than the lease keeps its message",
    kind: "normal",
    async run(world) {
      const { leaseMs } = world.abilities;
      const longMs = leaseMs === undefined || leaseMs > leaseMsMax ? 600 : leaseMs * 2.5;
      const slow = await world.bus();
      const other = await world.bus();
      const inboxes = [recorder(() => pause(longMs)), recorder(() => pause(longMs))];
      const [first, second] = inboxes;
      const subscription = await slow.subscribe("t.#", { group: "g" }, first?.handle ?? (() => undefined));
      await other.subscribe("t.#", { group: "g" }, second?.handle ?? (() => undefined));
      await other.publish("t.one", 1);
      const runs = (): number => inboxes.reduce((total, { seen }) => total + seen.length, 0);
      const handled = (): number => slow.metrics().handled + other.metrics().handled;
      await world.until(() => handled() >= 1, "it is handled");
      await pause(100);
      assert.equal(runs(), 1, "it was handed to somebody else while its handler ran");
      assert.equal(subscription.stats().leasesLost, 0);
    },
  },
  {
    promise: 11,
    title: "a hung handler is timed out: its signal aborts and the message is retried",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      let aborts = 0;
      const inbox = recorder((_, { attempt, signal }) => {
        if (attempt > 1) return undefined;
        signal.addEventListener("abort", () => aborts++);
        return new Promise(() => undefined);
      });
      const subscription = await bus.subscribe("t.#", { group: "g", handlerTimeoutMs: 150 }, inbox.handle);
      const startMs = performance.now();
      await bus.publish("t.one", 1);
      await world.until(() => inbox.seen.length >= 2, "it is retried");
      assert.ok(performance.now() - startMs >= 150 - world.graceMs, "it was given up early");
      assert.equal(inbox.seen[1]?.attempt, 2);
      assert.equal(aborts, 1);
      assert.equal(subscription.stats().timedOut, 1);
    },
  },
  {
    promise: 11,
    title: "a lease that nobody extends lapses: the message goes to another, and the old owner's settlement does nothing",
    kind: "limit",
    needs: shortLease,
    absence: "moot",
    async run(world) {
      const { session } = await world.session();
      const other = (await world.session()).session;
      const first = await pull(session, "t.#", { group: "g" });
      await accepts(other, [wire("t.one", 1)]);
      const old = await receivesOne(first);
      const second = await pull(other, "t.#", { group: "g" });
      const again = await receivesOne(second);
      assert.equal(again.message.id, old.message.id);
      const lost = await first.lease?.extend([old.receipt]);
      assert.deepEqual(lost, [old.receipt], "extend does not say that the lease was lost");
      const statuses = await first.settle([{ receipt: old.receipt, outcome: { type: "ack" } }]);
      assert.deepEqual(statuses, ["stale"], "the old owner's ack was taken");
      await settles(second, again);
    },
  },
  {
    promise: 11,
    title: "extending keeps the lease",
    kind: "normal",
    needs: shortLease,
    absence: "moot",
    async run(world) {
      const { session } = await world.session();
      const other = (await world.session()).session;
      const first = await pull(session, "t.#", { group: "g" });
      await accepts(other, [wire("t.one", 1)]);
      const held = await receivesOne(first);
      const second = await pull(other, "t.#", { group: "g" });
      const { lease } = first;
      assert.ok(lease);
      for (let part = 0; part < 6; part++) {
        await pause(lease.durationMs / 3);
        assert.deepEqual(await lease.extend([held.receipt]), [], "a lease in good time was called lost");
      }
      await receivesNothing(second, "it was handed to somebody else in spite of its extended lease");
      await settles(first, held);
    },
  },
  {
    promise: 11,
    title: "core settles nothing whose lease has lapsed by its own clock, counts it, and the message comes again",
    kind: "limit",
    needs: shortLease,
    absence: "moot",
    async run(world) {
      // Extending hangs, as it does on a line that is stalled: the lease lapses, whatever the broker would still accept.
      let settled = 0;
      const backend = wrapped(await world.backend(), {
        subscription: (subscription) => ({
          lease: subscription.lease && { durationMs: subscription.lease.durationMs, extend: () => new Promise(() => undefined) },
          settle(settlements) {
            settled += settlements.length;
            return subscription.settle(settlements);
          },
        }),
      });
      const forgetful = await world.bus({ backend });
      const other = await world.bus();
      const { leaseMs = 0 } = world.abilities;
      let losses = 0;
      let aborts = 0;
      forgetful.on("lease-loss", () => void losses++);
      await forgetful.subscribe("t.#", { group: "g" }, async (_, { signal }) => {
        signal.addEventListener("abort", () => aborts++);
        await pause(leaseMs * 2);
      });
      await other.publish("t.one", 1);
      await world.until(() => forgetful.metrics().received === 1, "it has the message");
      const inbox = recorder();
      await other.subscribe("t.#", { group: "g" }, inbox.handle);
      await world.until(() => inbox.seen.length === 1, "the message comes again");
      await world.until(() => losses >= 1, "the loss is an event");
      await world.until(() => aborts >= 1, "the handler is told by its signal");
      await pause(leaseMs);
      assert.equal(settled, 0, "it settled a delivery whose lease had lapsed");
      assert.equal(forgetful.metrics().leasesLost, losses);
    },
  },
  {
    promise: 11,
    title: "after a fault in mid-handler the message is handled again, and a late end settles nothing",
    kind: "fault",
    area: "lease",
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const consumer = await world.bus();
      const ledger = new Ledger();
      const held = gate();
      let running = 0;
      const subscription = await consumer.subscribe("t.#", { group: "g", concurrency: 10 }, async (message) => {
        running++;
        await held.opened;
        ledger.note(message);
      });
      await Promise.all(numbers(30).map((index) => ledger.publish(publisher, "t.one", `m${index}`)));
      await world.until(() => running === 10, "handlers are at work");
      world.strike();
      await pause(300);
      world.heal();
      await pause(100);
      held.open();
      await ledger.publish(publisher, "t.last", "last");
      await ledger.closes(world, publisher, "g");
      await world.until(() => subscription.stats().inFlight === 0, "nothing stays unsettled");
      assert.equal(await publisher.deadLetters("g").count(), 0);
    },
  },
];
