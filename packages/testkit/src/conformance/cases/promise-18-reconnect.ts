/** Promise 18: connections break and come back; subscriptions with them, exactly once; nothing accepted is lost. */
import assert from "node:assert/strict";
import { createBus, isHalyardError } from "@halyard/core";
import { type ConformanceCase, firstReason } from "../case.ts";
import { Ledger } from "../ledger.ts";
import { gate, numbers, pause, recorder } from "../recorder.ts";

export const reconnectCases: readonly ConformanceCase[] = [
  {
    promise: 18,
    title: "messages flow through a fault in everything at once, and the ledger closes",
    kind: "fault",
    area: "receive",
    async run(world) {
      const publisher = await world.bus();
      const consumers = [await world.bus(), await world.bus()];
      const steady = await world.bus({}, { steady: true });
      const ledger = new Ledger();
      for (const consumer of consumers) {
        await consumer.subscribe("f.#", { group: "g", concurrency: 10, retry: { attemptsMax: 10 } }, async (message, { attempt }) => {
          await pause(Math.random() * 4);
          if (message.id.endsWith("7") && attempt === 1) throw new Error("once");
          ledger.note(message);
        });
      }
      const open: Promise<void>[] = [];
      for (const wave of numbers(20)) {
        if (wave === 5) world.strike();
        if (wave === 15) world.heal();
        open.push(...numbers(20).map((index) => ledger.publish(publisher, "f.one", `m${wave}-${index}`, { timeoutMs: 25_000 })));
        await pause(15);
      }
      await Promise.all(open);
      await ledger.publish(publisher, "f.last", "last", { timeoutMs: 25_000 });
      assert.ok(ledger.accepted.has("last"), `a publish after the fault is accepted: ${String(ledger.rejected.at(-1))}`);
      await ledger.closes(world, steady, "g");
      assert.ok(ledger.handled.has("last"), "a message published after the fault is handled");
    },
  },
  {
    promise: 18,
    title: "an idle subscription survives a fault that nobody's call notices",
    kind: "fault",
    area: "subscribe",
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const consumer = await world.bus();
      const inbox = recorder();
      await consumer.subscribe("f.#", { group: "g" }, inbox.handle);
      await publisher.publish("f.one", "before");
      await world.until(() => inbox.seen.length === 1, "it works before");
      world.strike();
      await pause(100);
      world.heal();
      await publisher.publish("f.one", "after");
      await world.until(() => inbox.payloads().includes("after"), "it works after, without anybody's doing");
    },
  },
  {
    promise: 18,
    title: "subscribing while the connection is away resolves when it is back, and gets what is published from then on",
    kind: "fault",
    area: "subscribe",
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const consumer = await world.bus();
      const inbox = recorder();
      const live = recorder();
      world.strike();
      const subscribing = Promise.all([consumer.subscribe("f.#", { group: "g" }, inbox.handle), consumer.subscribe("f.#", {}, live.handle)]);
      subscribing.catch(() => undefined); // awaited below, unless the case is given up before
      await pause(150);
      world.heal();
      await subscribing;
      let index = 0;
      await world.until(async () => {
        await publisher.publish("f.one", index++);
        return inbox.seen.length > 0 && live.seen.length > 0;
      }, "both receive");
      const id = `end-${index}`;
      await publisher.publish("f.one", "end", { id });
      await world.until(() => inbox.ids().includes(id), "the group gets the last one");
      await world.until(() => new Set(inbox.payloads()).size === index + 1, "the group gets all that was published after subscribe resolved");
    },
  },
  {
    promise: 18,
    title: "after ten broken connections a subscription is there exactly once",
    kind: "fault",
    area: "subscribe",
    breaksItself: true,
    async run(world) {
      const publisher = await world.bus({}, { steady: true });
      const consumer = await world.bus();
      const group = recorder();
      const live = recorder();
      let losses = 0;
      let opens = 0;
      consumer.on("connection-loss", () => void losses++);
      consumer.on("connection-open", () => void opens++);
      await consumer.subscribe("f.#", { group: "g" }, group.handle);
      await consumer.subscribe("f.#", {}, live.handle);
      for (let flap = 1; flap <= 10; flap++) {
        world.disconnect();
        await world.until(() => losses >= flap && opens >= flap, "it reconnects");
        if (flap % 3 !== 0) continue; // also flaps in quick succession, before the subscriptions are back
        await publisher.publish("f.flap", flap);
        await world.until(() => group.payloads().includes(flap), "the group works between two flaps");
      }
      await publisher.publish("f.warm", "warm");
      await world.until(() => group.payloads().includes("warm"), "the group is back");
      let probe = 0;
      await world.until(async () => {
        await publisher.publish("f.probe", `probe${probe++}`);
        return live.seen.some(({ message }) => message.topic === "f.probe");
      }, "the live subscription is back");
      await publisher.publish("f.end", "end");
      await world.until(() => group.payloads().includes("end") && live.payloads().includes("end"), "the end arrives");
      await pause(100);
      for (const inbox of [group, live]) assert.equal(inbox.payloads().filter((payload) => payload === "end").length, 1, "it is subscribed twice");
      const info = await publisher.groups.get("g");
      if (info?.members !== undefined) assert.equal(info.members, 1, "the broker counts dead members");
    },
  },
  {
    promise: 18,
    title: "a broker that refuses for a while: publishes wait, the bus says so, and all come through",
    kind: "fault",
    area: "publish",
    breaksItself: true,
    async run(world) {
      const bus = await world.bus();
      const inbox = recorder();
      const failures: Error[] = [];
      bus.on("connection-failure", ({ error }) => void failures.push(error));
      await bus.subscribe("f.#", { group: "g", concurrency: 10 }, inbox.handle);
      world.breakOff(bus);
      const waiting = Promise.all(numbers(50).map((index) => bus.publish("f.one", index)));
      waiting.catch(() => undefined); // looked at below
      await world.until(() => failures.length >= 2, "failed attempts are events");
      assert.equal((await bus.health({ timeoutMs: 200 })).healthy, false);
      world.restore(bus);
      await waiting;
      await world.until(() => new Set(inbox.payloads()).size === 50, "all arrive");
      assert.ok(failures.length < 200, "it hammers the broker instead of backing off");
    },
  },
  {
    promise: 18,
    title: "a backend that cannot be reached makes createBus reject in time",
    kind: "limit",
    async run(world) {
      const backend = await world.backend();
      const refusing = { ...backend, connect: async () => Promise.reject(new Error("nobody there")) };
      const creating = createBus({ backend: refusing, namespace: world.namespace, limits: { startTimeoutMs: 300, connectTimeoutMs: 200 } });
      await assert.rejects(creating, (error) => isHalyardError(error, "CONNECT_FAILED") || isHalyardError(error, "TIMEOUT"));
    },
  },
  {
    promise: 18,
    title: "wrong credentials are AUTH_FAILED at once, not a storm of retries",
    kind: "limit",
    absence: "moot-unless-durable",
    needs: (_, { wrongCredentials }) => (wrongCredentials ? undefined : "it has no credentials, or the suite knows no wrong ones"),
    async run(world) {
      const backend = await world.subject.wrongCredentials?.({ namespace: world.namespace, proxy: undefined });
      assert.ok(backend);
      let attempts = 0;
      const counting: typeof backend = {
        ...backend,
        connect: (host, signal) => {
          attempts++;
          return backend.connect(host, signal);
        },
      };
      await assert.rejects(createBus({ backend: counting, namespace: world.namespace }), (error) => isHalyardError(error, "AUTH_FAILED"));
      assert.equal(attempts, 1);
    },
  },
  {
    promise: 18,
    title: "the broker restarts under load: a durable one loses nothing, and all buses come back",
    kind: "limit",
    isAlone: true,
    absence: "ends-with-process",
    needs: (_, { restartBroker }) => (restartBroker ? undefined : "the suite cannot restart its broker"),
    async run(world) {
      const publisher = await world.bus();
      const consumer = await world.bus();
      const ledger = new Ledger();
      const held = gate();
      await consumer.subscribe("f.#", { group: "g", concurrency: 10 }, async (message) => {
        if (ledger.handled.size > 20) await held.opened;
        ledger.note(message);
      });
      await Promise.all(numbers(100).map((index) => ledger.publish(publisher, "f.one", `m${index}`)));
      if (!world.capabilities.durable) ledger.accepted.clear();
      await world.subject.restartBroker?.();
      held.open();
      await ledger.publish(publisher, "f.last", "last", { timeoutMs: 25_000 });
      await ledger.closes(world, publisher, "g");
      assert.ok(ledger.handled.has("last"));
      assert.equal(await publisher.deadLetters("g").count(), 0, "a restart made a dead letter");
    },
  },
  {
    promise: 18,
    title: "what nobody reconnects to is closed: a closed bus opens no session any more",
    kind: "limit",
    isOnWire: true,
    absence: "moot-unless-durable",
    needs: (_, { hasWire }) => firstReason([!hasWire, "it has no wire to look at"]),
    async run(world) {
      const bus = await world.bus();
      await bus.publish("f.one", 1);
      assert.ok((world.connections ?? 0) > 0);
      const closing = bus.close();
      world.disconnect();
      await closing;
      await world.until(() => world.connections === 0, "all connections are closed");
      await pause(300);
      assert.equal(world.connections, 0, "a closed bus reconnected");
    },
  },
];
