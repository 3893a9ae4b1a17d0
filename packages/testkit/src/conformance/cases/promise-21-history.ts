/** Promise 21: history reads in order from the start, a position or a time, and by id, without consuming. */
import assert from "node:assert/strict";
import { type Bus, type HistoryOptions, isHalyardError } from "@halyard/core";
import type { ConformanceCase } from "../case.ts";
import { numbers, pause, recorder } from "../recorder.ts";

const history = (_: unknown, { history: hasHistory }: { readonly history: boolean }): string | undefined => (hasHistory ? undefined : "it keeps no history");

async function read(bus: Bus, pattern: string, options: HistoryOptions = {}): Promise<readonly { readonly payload: unknown; readonly position: string }[]> {
  const entries = [];
  for await (const { message, position } of bus.history(pattern, options)) entries.push({ payload: message.payload, position });
  return entries;
}

const payloads = (entries: readonly { readonly payload: unknown }[]): readonly unknown[] => entries.map(({ payload }) => payload);

export const historyCases: readonly ConformanceCase[] = [
  {
    promise: 21,
    title: "history reads what was published, in order, filtered, without consuming",
    kind: "normal",
    needs: history,
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      for (const index of numbers(30)) await bus.publish(`h.t${index % 2}`, index);
      for (let time = 0; time < 2; time++) assert.deepEqual(payloads(await read(bus, "h.#")), numbers(30), "reading used something up");
      assert.deepEqual(
        payloads(await read(bus, "h.t0")),
        numbers(15).map((index) => index * 2),
      );
      assert.deepEqual(payloads(await read(bus, "h.#", { limit: 7 })), numbers(7));
      assert.deepEqual(await read(bus, "other.#"), []);
      await bus.subscribe("h.#", { group: "g" }, inbox.handle);
      await bus.publish("h.t0", "end");
      await world.until(() => inbox.payloads().includes("end"), "the end arrives");
      assert.deepEqual(inbox.payloads(), ["end"]);
    },
  },
  {
    promise: 21,
    title: "history goes on after a position, or from a time",
    kind: "limit",
    needs: history,
    async run(world) {
      const bus = await world.bus();
      for (const index of numbers(10)) await bus.publish("h.one", index);
      const entries = await read(bus, "h.#");
      const position = entries[4]?.position ?? "";
      assert.deepEqual(payloads(await read(bus, "h.#", { from: { after: position } })), [5, 6, 7, 8, 9]);
      assert.deepEqual(await read(bus, "h.#", { from: { after: entries[9]?.position ?? "" } }), []);
      await pause(30);
      const timeMs = Date.now();
      await pause(30);
      await bus.publish("h.one", "later");
      assert.deepEqual(payloads(await read(bus, "h.#", { from: { timeMs } })), ["later"]);
    },
  },
  {
    promise: 21,
    title: "history finds messages by id",
    kind: "limit",
    needs: history,
    async run(world) {
      const bus = await world.bus();
      await Promise.all(numbers(600).map((index) => bus.publish(`h.t${index % 3}`, index, { id: `m${index}` })));
      await bus.publish("h.one", "last", { id: "last" });
      const found = await bus.historyById(["m3", "missing", "last", "m550", "m3"]);
      assert.deepEqual(
        found.map((entry) => entry?.message.payload),
        [3, undefined, "last", 550, 3],
        "historyById finds what is kept, wherever it lies, in the order of the ids",
      );
    },
  },
  {
    promise: 21,
    title: "a new group starts where it was told to",
    kind: "normal",
    needs: ({ startsAt }) => (startsAt.earliest ? undefined : "its groups start with new messages only"),
    async run(world) {
      const bus = await world.bus();
      for (const index of numbers(5)) await bus.publish("h.one", index);
      await pause(30);
      const timeMs = Date.now();
      await pause(30);
      await bus.publish("h.one", "later");
      const early = recorder();
      const fresh = recorder();
      const timed = recorder();
      await bus.subscribe("h.#", { group: "early", from: "earliest" }, early.handle);
      await bus.subscribe("h.#", { group: "fresh" }, fresh.handle);
      if (world.capabilities.startsAt.time) await bus.subscribe("h.#", { group: "timed", from: { timeMs } }, timed.handle);
      await bus.publish("h.one", "end");
      await world.until(() => early.payloads().includes("end") && fresh.payloads().includes("end"), "the end arrives");
      assert.deepEqual(early.payloads(), [...numbers(5), "later", "end"]);
      assert.deepEqual(fresh.payloads(), ["end"]);
      if (!world.capabilities.startsAt.time) return;
      await world.until(() => timed.payloads().includes("end"), "the end arrives");
      assert.deepEqual(timed.payloads(), ["later", "end"]);
    },
  },
  {
    promise: 21,
    title: "history and earlier starts are UNSUPPORTED where there are none",
    kind: "limit",
    asksRefusal: true,
    needs: ({ startsAt }, { history: hasHistory }) => (hasHistory || startsAt.earliest ? "it keeps a history" : undefined),
    async run(world) {
      const bus = await world.bus();
      await assert.rejects(read(bus, "h.#"), (error) => isHalyardError(error, "UNSUPPORTED"));
      await assert.rejects(
        bus.subscribe("h.#", { group: "g", from: "earliest" }, () => undefined),
        (error) => isHalyardError(error, "UNSUPPORTED"),
      );
    },
  },
];
