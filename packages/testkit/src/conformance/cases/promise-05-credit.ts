/** Promise 5: no more than `inFlightMax` unsettled, inbox included; slow consumers hold up nobody else. */
import assert from "node:assert/strict";
import { type Delivery, isHalyardError } from "@halyard/core/spi";
import type { ConformanceCase } from "../case.ts";
import { accepts, moveTo, pull, receives, receivesNothing, receivesOne, settles } from "../pull.ts";
import { gate, numbers, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";

export const creditCases: readonly ConformanceCase[] = [
  {
    promise: 5,
    title: "a group subscription begins with one, opens up to its credit, and never passes inFlightMax",
    kind: "normal",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "c.#", { group: "g", inFlightMax: 4, credit: 1 });
      await accepts(
        session,
        numbers(20).map((index) => wire("c.one", index)),
      );
      const held: Delivery[] = [...(await receives(subscription, 1))];
      await receivesNothing(subscription, "more than one before core has looked at the first");
      subscription.credit(4);
      held.push(...(await receives(subscription, 3)));
      await receivesNothing(subscription, "more than inFlightMax are unsettled");
      await settles(subscription, held[0] as Delivery); // four were received
      await receivesOne(subscription);
      await receivesNothing(subscription, "settling one made room for more than one");
    },
  },
  {
    promise: 5,
    title: "a second receive while one waits is BUSY, and the first goes on, of a group and live",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      for (const options of [{ group: "g" }, {}]) {
        const subscription = await pull(session, "c.#", options);
        const waiting = receivesOne(subscription);
        waiting.catch(() => undefined); // awaited below
        const second = new AbortController();
        const timer = setTimeout(() => second.abort(), 1_000);
        await assert.rejects(subscription.receive(1, second.signal), (error) => isHalyardError(error, "BUSY"), "a second receive was let in");
        clearTimeout(timer);
        await accepts(session, [wire("c.one", "first")]);
        await settles(subscription, await waiting);
        await subscription.close();
      }
    },
  },
  {
    promise: 5,
    title: "what came back through the inbox counts against the same credit",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "c.#", { group: "g", inFlightMax: 3 });
      await accepts(
        session,
        numbers(12).map((index) => wire("c.one", index)),
      );
      for (const delivery of await receives(subscription, 3)) await settles(subscription, delivery, moveTo("inbox", { ...delivery.message, attempt: 2 }));
      await receives(subscription, 3);
      await receivesNothing(subscription, "inbox and topic together pass inFlightMax");
    },
  },
  {
    promise: 5,
    title: "neither a full inbox nor a full topic keeps the other from being handled",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      await bus.groups.define("g", { add: ["c.#"] });
      await Promise.all(numbers(200).map((index) => bus.publish("c.topic", index)));
      await Promise.all(numbers(200).map((index) => bus.send("g", "direct.one", index)));
      await bus.subscribe("c.#", { group: "g", concurrency: 4 }, inbox.handle);
      await world.until(() => inbox.seen.length >= 400, "both are handled");
    },
  },
  {
    promise: 5,
    title: "handlers at once stay within concurrency, unsettled within inFlightMax",
    kind: "normal",
    async run(world) {
      const bus = await world.bus();
      const held = gate();
      const inbox = recorder(() => held.opened);
      const subscription = await bus.subscribe("c.#", { group: "g", concurrency: 3, inFlightMax: 7 }, inbox.handle);
      await Promise.all(numbers(100).map((index) => bus.publish("c.one", index)));
      let most = 0;
      await world.until(() => {
        most = Math.max(most, subscription.stats().inFlight);
        return subscription.stats().inFlight === 7 && subscription.stats().running === 3;
      }, "it fills its window");
      held.open();
      await world.until(() => {
        most = Math.max(most, subscription.stats().inFlight);
        return inbox.seen.length >= 100;
      }, "all are handled");
      assert.equal(most, 7);
      assert.equal(inbox.runningMost, 3);
    },
  },
  {
    promise: 5,
    title: "a member that holds its messages stalls neither publishers nor other groups nor its own group's members",
    kind: "limit",
    async run(world) {
      const slow = await world.bus();
      const bus = await world.bus();
      const held = gate();
      await slow.subscribe("c.#", { group: "g", inFlightMax: 5 }, () => held.opened);
      await slow.subscribe("c.#", { inFlightMax: 5 }, () => held.opened);
      const member = recorder();
      const other = recorder();
      await bus.subscribe("c.#", { group: "g", concurrency: 20 }, member.handle);
      await bus.subscribe("c.#", { group: "other", concurrency: 20 }, other.handle);
      await Promise.all(numbers(2_000).map((index) => bus.publish("c.one", index)));
      await world.until(() => other.seen.length >= 2_000 && member.seen.length >= 1_995, "everybody else is through");
      held.open();
    },
  },
  {
    promise: 5,
    title: "an aborted receive loses nothing",
    kind: "limit",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "c.#", { group: "g", inFlightMax: 50 });
      const received: Delivery[] = [];
      const publishing = accepts(
        session,
        numbers(50).map((index) => wire("c.one", index)),
      );
      publishing.catch(() => undefined); // awaited below, unless something fails before
      for (let round = 0; received.length < 50 && round < 2_000; round++) {
        const controller = new AbortController();
        const timer = setTimeout(() => controller.abort(), round % 5);
        received.push(...(await subscription.receive(3, controller.signal)));
        clearTimeout(timer);
      }
      await publishing;
      assert.equal(
        new Set(received.map(({ message }) => message.id)).size,
        50,
        "what arrived while a receive was aborted must come with the next call, each message once",
      );
    },
  },
];
