/** Promise 2: order per topic, order per key, exclusive groups. */
import assert from "node:assert/strict";
import { isHalyardError } from "@halyard/core";
import type { Capabilities } from "@halyard/core/spi";
import { type ConformanceCase, firstReason } from "../case.ts";
import { accepts, pull, receives, receivesNothing, settles } from "../pull.ts";
import { gate, numbers, pause, recorder } from "../recorder.ts";
import { textOf, wire } from "../wire.ts";

const ordered = ({ orderedTopics }: Capabilities): string | undefined => firstReason([!orderedTopics, "it keeps no order per topic"]);
const exclusive = (capabilities: Capabilities): string | undefined => firstReason([!capabilities.exclusive, "it has no exclusive groups"]);

export const orderCases: readonly ConformanceCase[] = [
  {
    promise: 2,
    title: "a topic keeps its order between awaited publishes and within a turn",
    kind: "normal",
    needs: ordered,
    async run(world) {
      const publisher = await world.bus();
      const consumer = await world.bus();
      const inbox = recorder();
      await consumer.subscribe("order.one", { group: "g", inFlightMax: 20 }, inbox.handle);
      for (const index of numbers(50)) await publisher.publish("order.one", index);
      await Promise.all(numbers(150).map((index) => publisher.publish("order.one", 50 + index)));
      await world.until(() => inbox.seen.length >= 200, "all that was published arrives");
      assert.deepEqual(inbox.payloads(), numbers(200), "a topic lost its order: batches that are in flight together must be stored as they were given");
    },
  },
  {
    promise: 2,
    title: "a batch over several topics keeps the order of each",
    kind: "normal",
    needs: ordered,
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "#", { group: "g", inFlightMax: 100 });
      await accepts(
        session,
        numbers(90).map((index) => wire(`order.t${index % 3}`, index)),
      );
      const deliveries = await receives(subscription, 90);
      for (const topic of ["order.t0", "order.t1", "order.t2"]) {
        const indexes = deliveries.filter(({ message }) => message.topic === topic).map(({ message }) => Number(textOf(message)));
        assert.deepEqual(
          indexes,
          [...indexes].sort((left, right) => left - right),
          `${topic} lost its order: messages of one topic in one batch must be stored as they stand in it`,
        );
      }
    },
  },
  {
    promise: 2,
    title: "a live subscription keeps the order of a topic too",
    kind: "normal",
    needs: ordered,
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      await bus.subscribe("order.live", {}, inbox.handle);
      await Promise.all(numbers(200).map((index) => bus.publish("order.live", index)));
      await world.until(() => inbox.seen.length >= 200, "all that was published arrives");
      assert.deepEqual(inbox.payloads(), numbers(200), "a live subscription got a topic out of order");
    },
  },
  {
    promise: 2,
    title: "of one key never two at once, and other keys flow meanwhile",
    kind: "normal",
    needs: ordered,
    async run(world) {
      const bus = await world.bus();
      const running = new Set<string>();
      let mostKeys = 0;
      const handled: string[] = [];
      await bus.subscribe("key.#", { group: "g", ordered: true, concurrency: 6, inFlightMax: 30 }, async (message) => {
        const key = message.key ?? "";
        assert.ok(!running.has(key), `two messages of key ${key} ran at once`);
        running.add(key);
        mostKeys = Math.max(mostKeys, running.size);
        await pause(Math.random() * 8);
        running.delete(key);
        handled.push(String(message.payload));
      });
      await Promise.all(numbers(60).map((index) => bus.publish("key.one", `${"abc"[index % 3]}${index}`, { key: "abc"[index % 3] ?? "a" })));
      await world.until(() => handled.length >= 60, "all are handled");
      assert.equal(handled.length, 60, "a message was handled twice, or failed because two of its key ran at once");
      for (const key of "abc") {
        const indexes = handled.filter((text) => text.startsWith(key)).map((text) => Number(text.slice(1)));
        assert.deepEqual(
          indexes,
          [...indexes].sort((left, right) => left - right),
          `key ${key} was handled out of order: deliveries of one topic must come in the order in which it was published`,
        );
      }
      assert.ok(mostKeys > 1, "keys wait for each other: `receive` must hand over more than one at a time, as far as the credit goes");
    },
  },
  {
    promise: 2,
    title: "a failure of a key is retried in place: its key waits, others do not",
    kind: "limit",
    needs: ordered,
    async run(world) {
      const bus = await world.bus();
      const handled: string[] = [];
      const failing = gate();
      let isHealed = false;
      await bus.subscribe("key.#", { group: "g", ordered: true, concurrency: 2, inFlightMax: 10, retry: { attemptsMax: 100 } }, async (message) => {
        if (message.payload === "a1" && !isHealed) {
          failing.open();
          throw new Error("not yet");
        }
        handled.push(String(message.payload));
      });
      for (const text of ["a1", "a2", "a3"]) await bus.publish("key.one", text, { key: "a" });
      await failing.opened;
      for (const text of ["b1", "b2"]) await bus.publish("key.one", text, { key: "b" });
      await world.until(() => handled.length >= 2, "the other key flows while one is retried in place");
      assert.deepEqual(handled, ["b1", "b2"], "a later message of a key overtook the one that is retried in place, or the other key lost its order");
      isHealed = true;
      await world.until(() => handled.length >= 5, "the key goes on once its first message is handled");
      assert.deepEqual(handled.slice(2), ["a1", "a2", "a3"], "the key that waited for its retry lost its order");
    },
  },
  {
    promise: 2,
    title: "after its last attempt a message of a key is a dead letter, and the key goes on",
    kind: "limit",
    needs: ordered,
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder(({ payload }) => {
        if (payload === 1) throw new Error("always");
      });
      await bus.subscribe("key.#", { group: "g", ordered: true, concurrency: 2 }, inbox.handle);
      for (const index of [1, 2, 3]) await bus.publish("key.one", index, { key: "a" });
      await world.until(() => inbox.payloads().includes(3), "the key goes on");
      assert.deepEqual(
        inbox.payloads(),
        [1, 1, 1, 2, 3],
        "attempts of a key's failing message were mixed with its later messages, or were more or fewer than three",
      );
      await world.until(async () => (await bus.deadLetters("g").count()) === 1, "the message that failed is the group's only dead letter");
    },
  },
  {
    promise: 2,
    title: "an exclusive group has one active member, and the next takes over",
    kind: "normal",
    needs: (capabilities) => ordered(capabilities) ?? exclusive(capabilities),
    async run(world) {
      const publisher = await world.bus();
      const order: { readonly member: number; readonly payload: unknown }[] = [];
      const members = [await world.bus(), await world.bus()];
      for (const [member, bus] of members.entries()) {
        await bus.subscribe("solo.#", { group: "g", exclusive: true, inFlightMax: 5 }, ({ payload }) => void order.push({ member, payload }));
      }
      for (const index of numbers(20)) await publisher.publish("solo.one", index);
      await world.until(() => order.length >= 20, "the active member gets all");
      const first = order[0]?.member ?? 0;
      assert.deepEqual(new Set(order.map(({ member }) => member)), new Set([first]), "two exclusive members were active at once");
      await members[first]?.close();
      for (const index of numbers(20)) await publisher.publish("solo.one", 20 + index);
      await world.until(() => order.length >= 40, "the next member takes over");
      assert.deepEqual(
        order.map(({ payload }) => payload),
        numbers(40),
        "a message was lost, repeated or out of order when the next exclusive member took over",
      );
      assert.ok(
        order.slice(20).every(({ member }) => member !== first),
        "the member that closed was handed messages after the next one had taken over",
      );
    },
  },
  {
    promise: 2,
    title: "of the members that ask for exclusive one is active, and one that does not ask competes beside it",
    kind: "normal",
    needs: exclusive,
    async run(world) {
      const [here, there, elsewhere] = [await world.session(), await world.session(), await world.session()];
      const first = await pull(here.session, "solo.#", { group: "g", exclusive: true, inFlightMax: 2 });
      const plain = await pull(there.session, "solo.#", { group: "g", inFlightMax: 1 });
      const next = await pull(elsewhere.session, "solo.#", { group: "g", exclusive: true, inFlightMax: 3 });
      const publishes = (index: number): Promise<void> => accepts(there.session, [wire("solo.one", index)]);
      for (const index of numbers(3)) await publishes(index);
      const textsOf = async (member: typeof next, count: number, why: string): Promise<readonly string[]> =>
        (await receives(member, count, why, world.deadlineMs)).map(({ message }) => textOf(message));
      const [beside] = await receives(plain, 1, "a member that did not ask for exclusive is held back by those that did; it must compete", world.deadlineMs);
      assert.ok(beside, "receives promises one");
      const held = await textsOf(first, 2, "the active member of those that asked for exclusive gets nothing beside one that did not ask");
      await publishes(3);
      await receivesNothing(next, "a second exclusive member was handed messages while the first one was still there");
      await here.session.close();
      const taken = await textsOf(next, 3, "when the active exclusive member closes, the next one gets what it held and what is new");
      assert.deepEqual(
        new Set(taken),
        new Set([...held, "3"]),
        "the next exclusive member took what a living member that did not ask still holds, or lost what the first one held",
      );
      if (world.capabilities.orderedTopics) assert.deepEqual(taken, [...held, "3"], "what the first one held comes before what is new");
      await settles(plain, beside);
      await publishes(4);
      const more = await textsOf(plain, 1, "after the take-over the member that did not ask gets nothing more");
      assert.deepEqual(more, ["4"], "after the take-over the member that did not ask got what another one held");
    },
  },
  {
    promise: 2,
    title: "an exclusive group fails over when its active member dies",
    kind: "fault",
    area: "receive",
    breaksItself: true,
    needs: exclusive,
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const first = await world.bus();
      const held = gate();
      await first.subscribe("solo.#", { group: "g", exclusive: true }, () => new Promise<void>(() => held.open()));
      await publisher.publish("solo.one", 1);
      await held.opened;
      const second = await world.bus({}, { steady: true });
      const inbox = recorder();
      await second.subscribe("solo.#", { group: "g", exclusive: true }, inbox.handle);
      world.kill(first);
      await publisher.publish("solo.one", 2);
      await world.until(() => new Set(inbox.payloads()).size === 2, "the second member takes over, what the first one held included");
    },
  },
  {
    promise: 2,
    title: "exclusive is UNSUPPORTED where the broker cannot",
    kind: "limit",
    asksRefusal: true,
    needs: (capabilities) => (capabilities.exclusive ? "it has exclusive groups" : undefined),
    async run(world) {
      const bus = await world.bus();
      await assert.rejects(
        bus.subscribe("a", { group: "g", exclusive: true }, () => undefined),
        (error) => isHalyardError(error, "UNSUPPORTED"),
        "capabilities.exclusive is false, so a group that asks for exclusive must be refused with UNSUPPORTED",
      );
    },
  },
];
