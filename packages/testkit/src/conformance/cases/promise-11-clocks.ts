/** Promises 11 and 12 where clocks are wrong: durations count by monotonic clocks, retries by the broker's, times to live by the publisher's. */
import assert from "node:assert/strict";
import type { Bus } from "@halyard/core";
import { type Clock, systemClock } from "@halyard/core/spi";
import type { ConformanceCase } from "../case.ts";
import { counted, numbers, pause } from "../recorder.ts";

const hourMs = 3_600_000;
const retryDelayMs = 700;
const messagesPerBus = 10;
/** Leases longer than this are not waited for. */
const leaseMsMax = 5_000;
/** A busy machine. */
const lateMsMax = 5_000;

interface WrongClock extends Clock {
  /** Ahead of the right one, milliseconds. */
  aheadMs: number;
}

/** Its wall clock is wrong, and its monotonic one is right: what an administrator, a time server or a virtual machine that wakes up do. */
function wrongClock(aheadMs: number): WrongClock {
  const clock: WrongClock = { ...systemClock, aheadMs, nowMs: () => systemClock.nowMs() + clock.aheadMs };
  return clock;
}

export const clockCases: readonly ConformanceCase[] = [
  {
    promise: 11,
    title: "clocks that are an hour off, and step by two while handlers run: no lease is lost, no retry is early or late, each message is handled once",
    kind: "limit",
    async run(world) {
      const { leaseMs } = world.abilities;
      const longMs = leaseMs === undefined || leaseMs > leaseMsMax ? 600 : leaseMs * 1.5;
      const clocks = [wrongClock(-hourMs), wrongClock(0), wrongClock(hourMs)];
      const buses: Bus[] = [];
      for (const clock of clocks) buses.push(await world.bus({ clock, retry: { delayMs: retryDelayMs, factor: 1, jitter: 0, attemptsMax: 2 } }));
      const failedMs = new Map<string, number>();
      const waitedMs: number[] = [];
      const handled: string[] = [];
      let running = 0;
      let lost = 0;
      for (const bus of buses) {
        bus.on("lease-loss", () => void lost++);
        await bus.subscribe("c.#", { group: "g", concurrency: 20, inFlightMax: 20 }, async ({ id, topic }, { attempt }) => {
          if (attempt === 1) {
            failedMs.set(id, performance.now());
            throw new Error("as asked");
          }
          waitedMs.push(performance.now() - (failedMs.get(id) ?? 0));
          if (topic === "c.long") {
            running++;
            await pause(longMs);
          }
          handled.push(id);
        });
      }
      await Promise.all(buses.flatMap((bus, at) => numbers(messagesPerBus).map((index) => bus.publish("c.one", index, { id: `m${at}-${index}` }))));
      await Promise.all(buses.flatMap((bus, at) => numbers(2).map((index) => bus.publish("c.long", index, { id: `long${at}-${index}` }))));
      await world.until(() => running === 6, "the long ones run");
      for (const clock of clocks) clock.aheadMs = clock.aheadMs > 0 ? -hourMs : hourMs;
      const total = (messagesPerBus + 2) * buses.length;
      await world.until(
        () => handled.length >= total,
        () => `all are handled; ${handled.length} of ${total} are`,
      );
      await buses[0]?.publish("c.one", "end", { id: "end" });
      await world.until(() => handled.includes("end"), "messages flow after the step");
      assert.deepEqual(
        [...counted(handled)].filter(([, times]) => times > 1),
        [],
        "something was handled twice",
      );
      assert.equal(lost, 0, "a lease was lost by a wall clock");
      const { ratio, floorMs } = world.capabilities.delayLateness;
      const latestMs = retryDelayMs + Math.max(retryDelayMs * ratio, floorMs) + lateMsMax;
      assert.ok(Math.min(...waitedMs) >= retryDelayMs - world.graceMs, `a retry came after ${Math.min(...waitedMs)} of ${retryDelayMs} ms`);
      assert.ok(Math.max(...waitedMs) <= latestMs, `a retry came after ${Math.max(...waitedMs)} of ${retryDelayMs} ms`);
      assert.equal(await buses[0]?.deadLetters("g").count(), 0);
    },
  },
  {
    promise: 12,
    title: "a time to live counts by the publisher's clock: what has expired by it is counted, and all else is handled",
    kind: "limit",
    absence: "moot",
    needs: (_, { hasHostClock }) => (hasHostClock ? "its broker's time is the clock of the bus" : undefined),
    async run(world) {
      const consumer = await world.bus();
      const ahead = await world.bus({ clock: wrongClock(hourMs) });
      const behind = await world.bus({ clock: wrongClock(-hourMs) });
      const handled: string[] = [];
      const dropped: string[] = [];
      consumer.on("message-drop", ({ id, reason }) => void dropped.push(`${id} ${reason}`));
      await consumer.subscribe("t.#", { group: "g" }, ({ id }) => void handled.push(id));
      await behind.publish("t.one", 1, { id: "expired", ttlMs: 60_000 });
      await ahead.publish("t.one", 1, { id: "ahead", ttlMs: 60_000 });
      await behind.publish("t.one", 1, { id: "behind", ttlMs: 2 * hourMs });
      await consumer.publish("t.one", 1, { id: "right", ttlMs: 60_000 });
      await world.until(
        () => handled.length >= 3,
        () => `what has time left is handled; ${handled.join(" ")} were`,
      );
      await world.until(() => dropped.length > 0, "the expired one is reported");
      assert.deepEqual([handled.sort(), dropped], [["ahead", "behind", "right"], ["expired expired"]]);
      assert.equal(consumer.metrics().expired, 1);
    },
  },
];
