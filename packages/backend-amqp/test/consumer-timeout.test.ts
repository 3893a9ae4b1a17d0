/** The server's `consumer_timeout`, on a broker that looks every half second whether anything is held for longer than three. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type Bus, createBus, isHalyardError, type LetterDecision, silentLogger } from "@halyard/core";
import { type RabbitmqBroker, startRabbitmq } from "@halyard/testkit/brokers";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import { type AmqpOptions, amqp } from "../src/index.ts";
import { sweep } from "./rabbitmq.ts";

const timeoutMs = 3_000;
let broker: RabbitmqBroker;
let namespace = "";
let names = 0;
const buses: Bus[] = [];
const warnings: string[] = [];

beforeAll(async () => {
  broker = await startRabbitmq({ isOwned: true, config: [`consumer_timeout = ${timeoutMs}`] });
  await broker.control("eval", "application:set_env(rabbit, channel_tick_interval, 500).");
}, 90_000);
afterAll(async () => broker?.stop());
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close({ timeoutMs: 100 })));
  warnings.length = 0;
  await sweep(broker, namespace);
  namespace = "";
});

async function open(options: AmqpOptions = {}): Promise<Bus> {
  if (namespace === "") namespace = `kit-${Date.now().toString(16)}${++names}`;
  const bus = await createBus({ backend: amqp({ url: broker.url, ...options }), namespace, logger: silentLogger });
  bus.on("warning", ({ text }) => void warnings.push(text));
  buses.push(bus);
  return bus;
}

async function until(condition: () => boolean | Promise<boolean>, what: string, withinMs = 20_000): Promise<void> {
  for (const untilMs = Date.now() + withinMs; !(await condition()); await sleep(10)) assert.ok(Date.now() < untilMs, `not within ${withinMs} ms: ${what}`);
}

/** Counts calls by payload. */
function counter(): { readonly calls: Map<string, number>; note(text: string): number } {
  const calls = new Map<string, number>();
  return {
    calls,
    note(text) {
      calls.set(text, (calls.get(text) ?? 0) + 1);
      return calls.get(text) as number; // set above
    },
  };
}

const good = Array.from({ length: 100 }, (_, index) => `good-${index}`);
const hang = (): Promise<void> => new Promise(() => undefined);

describe("consumer_timeout", () => {
  it("shorter than stated: it is named once, learnt, and a handler that hangs ends as a dead letter with 100 good messages behind it", async () => {
    const bus = await open();
    assert.equal((await bus.inspect()).capabilities.handlerMsMax, 1_790_000, "what the server's default is");
    const { calls, note } = counter();
    const reasons: unknown[] = [];
    await bus.subscribe("task.one", { group: "slow", concurrency: 1, inFlightMax: 200, retry: { attemptsMax: 2, delayMs: 10 } }, ({ payload }, { signal }) => {
      note(String(payload));
      if (payload !== "hangs") return undefined;
      signal.addEventListener("abort", () => void reasons.push(signal.reason));
      return hang();
    });
    const other = counter();
    await bus.subscribe("task.one", { group: "other" }, ({ payload }) => void other.note(String(payload)));
    const neighbour = counter();
    await bus.subscribe("task.one", { group: "slow-neighbour", concurrency: 1 }, async ({ payload }) => {
      if (neighbour.note(String(payload)) < 1_000 && payload === "good-0") await sleep(1_000);
    });
    await bus.publish("task.one", "hangs");
    await bus.publishBatch(good.map((payload) => ({ topic: "task.one", payload })));
    await until(async () => (await bus.deadLetters("slow").count()) === 1 && calls.size === 101, "the dead letter, and the good ones");
    assert.deepEqual(
      good.filter((text) => calls.get(text) !== 1),
      [],
      "each good one is handled once",
    );
    assert.ok((calls.get("hangs") ?? 0) <= 3, `the one that hangs ran ${calls.get("hangs")} times`);
    assert.ok(
      reasons.some((reason) => isHalyardError(reason, "LEASE_LOST")),
      "the first run hears that its message was taken back",
    );
    assert.ok(
      reasons.some((reason) => isHalyardError(reason, "HANDLER_TIMEOUT")),
      "later ones are timed out before the broker does",
    );
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.match(warnings[0] ?? "", /group slow .*consumer_timeout \(3000 ms\).*consumerTimeoutMs: 3000.*inFlightMax.*rabbitmq\.conf/s);
    for (const { calls: seen } of [other, neighbour]) assert.deepEqual([seen.size, [...seen.values()].every((times) => times === 1)], [101, true]);
    assert.ok((await bus.health()).warnings.some((text) => text.includes("3000 ms")));
  }, 60_000);

  it("as stated: the handler is timed out before the broker closes a channel", async () => {
    const bus = await open({ consumerTimeoutMs: timeoutMs });
    assert.equal((await bus.inspect()).capabilities.handlerMsMax, 2_700);
    const { calls, note } = counter();
    const subscription = await bus.subscribe("task.one", { group: "g", concurrency: 4, retry: { attemptsMax: 2, delayMs: 10 } }, ({ payload }) =>
      note(String(payload)) > 0 && payload === "hangs" ? hang() : undefined,
    );
    await bus.publish("task.one", "hangs");
    await bus.publishBatch(good.map((payload) => ({ topic: "task.one", payload })));
    await until(async () => (await bus.deadLetters("g").count()) === 1, "the dead letter");
    assert.deepEqual(warnings, []);
    assert.deepEqual([calls.get("hangs"), calls.size, subscription.stats().timedOut, subscription.stats().redelivered], [2, 101, 2, 0]);
  }, 60_000);

  it("as stated: what waits in the deep buffer of a slow member goes back before it strikes, and each message is handled once", async () => {
    const bus = await open({ consumerTimeoutMs: timeoutMs });
    const { calls, note } = counter();
    const subscription = await bus.subscribe("task.one", { group: "g", concurrency: 1, inFlightMax: 100, handlerTimeoutMs: 1_000 }, async ({ payload }) => {
      note(String(payload));
      await sleep(500);
    });
    const some = good.slice(0, 20);
    await bus.publishBatch(some.map((payload) => ({ topic: "task.one", payload })));
    await until(() => calls.size === some.length, "all are handled", 30_000);
    await subscription.close();
    assert.deepEqual([warnings, Math.max(...calls.values()), await bus.deadLetters("g").count()], [[], 1, 0]);
  }, 60_000);

  it("does not end the activity of an exclusive member", async () => {
    const [first, second] = [await open({ consumerTimeoutMs: timeoutMs }), await open({ consumerTimeoutMs: timeoutMs })];
    const seen: string[] = [];
    const subscriptions = [];
    for (const [name, bus] of [
      ["first", first],
      ["second", second],
    ] as const)
      subscriptions.push(await bus.subscribe("task.one", { group: "g", exclusive: true }, () => void seen.push(name)));
    for (const untilMs = Date.now() + 3 * timeoutMs; Date.now() < untilMs; await sleep(100)) await first.publish("task.one", "x");
    assert.ok(seen.length > 20);
    assert.deepEqual([...new Set(seen)], ["first"]);
    assert.deepEqual(warnings, []);
    await subscriptions[0]?.close();
    await second.publish("task.one", "last");
    await until(() => seen.at(-1) === "second", "the second takes over");
  }, 60_000);

  it("ends a walk over dead letters that takes longer: it says so, and what it had not done is not done", async () => {
    const bus = await open();
    await bus.subscribe("task.one", { group: "g", retry: { attemptsMax: 1 } }, () => Promise.reject(new Error("bad")));
    for (let index = 0; index < 3; index++) await bus.publish("task.one", index);
    const letters = bus.deadLetters("g");
    await until(async () => (await letters.count()) === 3, "three dead letters");
    const walking = letters.handle(async (): Promise<LetterDecision> => {
      await sleep(1.5 * timeoutMs);
      return "remove";
    });
    await assert.rejects(walking, (error) => error instanceof Error && error.message.includes("consumer_timeout"));
    assert.equal(await letters.count(), 3);
    assert.equal(await letters.purge(), 3);
  }, 60_000);
});
