/** Promise 10: what a dead consumer held comes back; what kills its process is a dead letter after a stated number of deaths, and nothing else is. */
import assert from "node:assert/strict";
import { type ConformanceCase, firstReason } from "../case.ts";
import { Ledger } from "../ledger.ts";
import { pull, receives, receivesOne, settles } from "../pull.ts";
import { gate, numbers, pause, recorder } from "../recorder.ts";
import { wire } from "../wire.ts";

/** Core condemns a message after twice its budget of three, alone; some deaths go by before it is alone. */
const deathsMax = 20;

export const crashCases: readonly ConformanceCase[] = [
  {
    promise: 10,
    title: "what a killed consumer held comes back to the group, its attempt unchanged",
    kind: "fault",
    area: "receive",
    breaksItself: true,
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const victim = await world.bus();
      const held = gate();
      let started = 0;
      await victim.subscribe("k.#", { group: "g", concurrency: 5, inFlightMax: 10 }, () => {
        started++;
        return held.opened;
      });
      await Promise.all(numbers(20).map((index) => publisher.publish("k.one", index)));
      await world.until(() => started === 5, "handlers are at work");
      world.kill(victim);
      const inbox = recorder();
      await publisher.subscribe("k.#", { group: "g", concurrency: 5 }, inbox.handle);
      await world.until(() => new Set(inbox.payloads()).size === 20, "all come back");
      assert.ok(
        inbox.seen.every(({ attempt }) => attempt === 1),
        "a death was counted as a failed attempt",
      );
      assert.equal(await publisher.deadLetters("g").count(), 0);
      held.open();
    },
  },
  {
    promise: 10,
    title: "a session that closes gives back what it held",
    kind: "normal",
    async run(world) {
      const { session } = await world.session();
      const subscription = await pull(session, "k.#", { group: "g" });
      const other = (await world.session()).session;
      await other.publish([wire("k.one", 1), wire("k.one", 2)], { signal: new AbortController().signal });
      const held = await receives(subscription, 2);
      await session.close();
      const next = await pull(other, "k.#", { group: "g" });
      const again = await receives(next, 2);
      assert.deepEqual(new Set(again.map(({ message }) => message.id)), new Set(held.map(({ message }) => message.id)));
      for (const delivery of again) await settles(next, delivery);
    },
  },
  {
    promise: 10,
    title: "deliveries counts the hand-overs of a copy",
    kind: "limit",
    needs: ({ countsDeliveries }) => (countsDeliveries ? undefined : "it does not count deliveries"),
    async run(world) {
      const publisher = (await world.session()).session;
      await publisher.admin.defineGroup("g", { add: [], drop: [] }, new AbortController().signal);
      await publisher.publish([wire("k.one", 1)], { signal: new AbortController().signal, target: { group: "g" } });
      let before = 0;
      for (let death = 0; death < 3; death++) {
        const { session, line } = await world.session();
        const subscription = await pull(session, "k.#", { group: "g" });
        const delivery = await receivesOne(subscription);
        assert.ok(
          delivery.deliveries > before,
          `deliveries must rise with each hand-over of a copy: number ${death + 1} says ${delivery.deliveries}, the one before said ${before}`,
        );
        before = delivery.deliveries;
        line.refuse();
        line.reset();
      }
    },
  },
  {
    promise: 10,
    title: "a message that kills its process is a dead letter after some deaths, and no other message of 100 behind it is",
    kind: "limit",
    needs: ({ countsDeliveries }) => (countsDeliveries ? undefined : "it does not count deliveries"),
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      await publisher.groups.define("g", { add: ["k.#"] });
      await publisher.publish("k.one", "poison", { id: "poison" });
      await Promise.all(numbers(100).map((index) => publisher.publish("k.one", index)));
      const handled = new Set<unknown>();
      let deaths = 0;
      while (deaths < deathsMax && (await publisher.deadLetters("g").count()) === 0) {
        const victim = await world.bus();
        const death = gate();
        await victim.subscribe("k.#", { group: "g", concurrency: 4, inFlightMax: 100 }, async ({ payload }) => {
          if (payload === "poison") {
            world.kill(victim);
            death.open();
            await new Promise(() => undefined); // a dead process never returns
          }
          handled.add(payload);
        });
        const isOver = async (): Promise<boolean> => handled.size === 100 && (await publisher.deadLetters("g").count()) > 0;
        let hasDied = false;
        void death.opened.then(() => {
          hasDied = true;
        });
        await world.until(async () => hasDied || (await isOver()), "the poison kills, or is a dead letter and the rest is handled");
        if (hasDied) deaths++;
      }
      const letters = await publisher.deadLetters("g").list();
      assert.deepEqual(
        letters.map(({ id, reason }) => [id, reason]),
        [["poison", "crashed"]],
        `after ${deaths} deaths`,
      );
      const rest = recorder();
      await publisher.subscribe("k.#", { group: "g", concurrency: 10 }, rest.handle);
      await world.until(() => new Set([...handled, ...rest.payloads()]).size === 100, "all others are handled");
    },
  },
  {
    promise: 10,
    title: "connections that break again and again make no dead letter",
    kind: "fault",
    area: "receive",
    breaksItself: true,
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const consumer = await world.bus();
      const ledger = new Ledger();
      // Handlers that are overtaken by the loss go on, and end after it.
      await consumer.subscribe("k.#", { group: "g", concurrency: 2, inFlightMax: 50 }, async (message) => {
        await pause(20);
        ledger.note(message);
      });
      await Promise.all(numbers(200).map((index) => ledger.publish(publisher, "k.one", `m${index}`)));
      let losses = 0;
      consumer.on("connection-loss", () => void losses++);
      let received = 0;
      for (let life = 1; life <= 9; life++) {
        await world.until(() => consumer.metrics().received > received, "it receives in this life");
        await pause(10);
        world.disconnect();
        await world.until(() => losses >= life, "the loss is noticed");
        received = consumer.metrics().received;
      }
      await ledger.closes(world, publisher, "g");
      assert.equal(await publisher.deadLetters("g").count(), 0, "a broken connection was taken for a crash");
    },
  },
  {
    promise: 10,
    title: "what living members give back again and again is no crash",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      const held = gate();
      const inbox = recorder(() => held.opened);
      const subscription = await bus.subscribe("k.#", { group: "g", concurrency: 1, inFlightMax: 5 }, inbox.handle);
      await Promise.all(numbers(5).map((index) => bus.publish("k.one", index)));
      await world.until(() => inbox.seen.length === 1 && subscription.stats().inFlight >= 2, "one runs, others wait");
      for (let round = 0; round < 10; round++) {
        const { received } = subscription.stats();
        subscription.pause();
        await world.until(() => subscription.stats().inFlight === 1, "it gives back what has not started");
        subscription.resume();
        // A member that has become careful may wait until its running handler has ended.
        await world.until(() => subscription.stats().received > received, "it receives again", 300).catch(() => undefined);
      }
      held.open();
      await world.until(async () => inbox.seen.length + (await bus.deadLetters("g").count()) >= 5, "all come to an end");
      assert.equal(await bus.deadLetters("g").count(), 0, "a message that was only given back was taken for a crash");
    },
  },
  {
    promise: 10,
    title: "a message that a living member releases ten times is no crash",
    kind: "limit",
    async run(world) {
      const bus = await world.bus();
      await bus.groups.define("g", { add: ["k.#"] });
      await bus.publish("k.one", "patient");
      let times = 0;
      const reading = (async () => {
        for await (const { release, ack } of bus.deliveries("k.#", { group: "g" })) {
          if (++times <= 10) release();
          else ack();
          if (times > 10) break;
        }
      })();
      reading.catch(() => undefined); // awaited below, unless the case fails before
      await world.until(async () => times > 10 || (await bus.deadLetters("g").count()) > 0, "it is handed over again and again");
      assert.equal(await bus.deadLetters("g").count(), 0, `after ${times} hand-overs it was taken for a crash`);
      await reading;
    },
  },
  {
    promise: 10,
    title: "restarts of the broker make no dead letter",
    kind: "limit",
    isAlone: true,
    absence: "ends-with-process",
    needs: ({ durable }, { restartBroker }) => firstReason([!durable, "it is not durable"], [!restartBroker, "the suite cannot restart its broker"]),
    async run(world) {
      const bus = await world.bus();
      const held = gate();
      const inbox = recorder(() => held.opened);
      await bus.subscribe("k.#", { group: "g", concurrency: 2, inFlightMax: 20 }, inbox.handle);
      await Promise.all(numbers(20).map((index) => bus.publish("k.one", index)));
      for (let restart = 0; restart < 3; restart++) {
        const { received } = bus.metrics();
        await world.subject.restartBroker?.();
        await world.until(() => bus.metrics().received > received, "it receives again what was held");
      }
      held.open();
      await world.until(() => new Set(inbox.payloads()).size === 20, "all are handled");
      assert.equal(await bus.deadLetters("g").count(), 0, "a restart was taken for a crash");
    },
  },
];
