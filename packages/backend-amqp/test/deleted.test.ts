/** What somebody deletes on the broker is made again and reported; what was removed on purpose is neither, and takes its waiting retries along. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type Bus, type BusOptions, createBus, isHalyardError, silentLogger } from "@halyard/core";
import { type Clock, systemClock } from "@halyard/core/spi";
import { type RabbitmqBroker, startRabbitmq } from "@halyard/testkit/brokers";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import { type AmqpOptions, amqp } from "../src/index.ts";
import { manage, sweep } from "./rabbitmq.ts";

let broker: RabbitmqBroker;
let namespace = "";
let namespaces = 0;
const buses: Bus[] = [];
const reports: { readonly what: string; readonly lost: number | "unknown" }[] = [];

beforeAll(async () => {
  broker = await startRabbitmq({ isOwned: true });
}, 90_000);
afterAll(async () => broker?.stop());
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close({ timeoutMs: 500 })));
  await sweep(broker, namespace);
  reports.length = 0;
  namespace = "";
});

/** What is looked at every half minute is looked at every 200 ms. */
const hasty: Clock = { ...systemClock, after: (delayMs, run) => systemClock.after(delayMs === 30_000 ? 200 : delayMs, run) };

async function open(options: AmqpOptions = {}, more: Partial<BusOptions> = {}): Promise<Bus> {
  if (namespace === "") namespace = `kit-${Date.now().toString(16)}${++namespaces}`;
  const retry = { delayMs: 1_000, factor: 1, jitter: 0, attemptsMax: 2 };
  const bus = await createBus({ backend: amqp({ url: broker.url, ...options }), namespace, logger: silentLogger, retry, ...more });
  bus.on("recreation", (report) => void reports.push(report));
  buses.push(bus);
  return bus;
}

async function until(condition: () => boolean | Promise<boolean>, what: string, withinMs = 15_000): Promise<void> {
  for (const untilMs = Date.now() + withinMs; !(await condition()); await sleep(10)) assert.ok(Date.now() < untilMs, `not within ${withinMs} ms: ${what}`);
}

const remove = async (kind: "queues" | "exchanges", name: string): Promise<void> => void (await manage(broker, "DELETE", `${kind}/%2F/${namespace}${name}`));
async function queues(part: string): Promise<readonly { readonly name: string; readonly messages: number }[]> {
  const lines = (await broker.control("list_queues", "--quiet", "name", "messages")).split("\n");
  const found = lines.map((line) => line.split(/\s+/)).map(([name = "", messages]) => ({ name: name.slice(namespace.length), messages: Number(messages) }));
  return found.filter(({ name }) => name.startsWith(part));
}
async function waitQueue(): Promise<string> {
  const found = (await manage(broker, "GET", "queues/%2F?columns=name&disable_stats=true")) as readonly { readonly name: string }[];
  return found.find(({ name }) => name.startsWith(`${namespace}.wait.`))?.name.slice(namespace.length) ?? "";
}
const fails = (): never => {
  throw new Error("always");
};
const reported = (part: string): boolean => reports.some(({ what }) => what.includes(`${namespace}${part}`));

describe("deleted on the broker", () => {
  it("a queue of the ladder: reported by the next retry, which waits in the new one", async () => {
    const bus = await open();
    const seen: string[] = [];
    const subscription = await bus.subscribe("a.#", { group: "g", retry: { delayMs: 4_000, factor: 1, jitter: 0 } }, ({ payload }, { attempt }) => {
      seen.push(`${payload} ${attempt}`);
      if (attempt === 1) fails();
    });
    await bus.publish("a.b", "lost");
    await until(() => subscription.stats().retried === 1, "it waits");
    const name = await waitQueue();
    await remove("queues", name);
    await bus.publish("a.b", "kept");
    await until(() => seen.includes("kept 2"), "the next one is retried");
    assert.deepEqual(seen, ["lost 1", "kept 1", "kept 2"]);
    assert.deepEqual(reports, [{ what: `the queue ${namespace}${name} with retries and delays that waited`, lost: "unknown" }]);
  });

  it("a queue of the ladder, dead letters and the queue for what nobody waits for: reported without any traffic, and once", async () => {
    const bus = await open({}, { clock: hasty });
    await bus.subscribe("a.#", { group: "g" }, fails);
    await bus.publish("a.b", 1);
    await until(async () => (await bus.deadLetters("g").count()) === 1, "a letter");
    const name = await waitQueue();
    for (const queue of [name, ".dead.g", ".gone"]) await remove("queues", queue);
    await until(() => [name, ".dead.g", ".gone"].every(reported), "all are reported");
    await until(async () => (await queues(".")).filter((queue) => [name, ".dead.g", ".gone"].includes(queue.name)).length === 3, "all are there again");
    assert.equal(reports.length, 3);
    assert.equal(reports.find(({ what }) => what.endsWith(".gone"))?.lost, 0);
    await bus.publish("a.b", 2);
    await until(async () => (await bus.deadLetters("g").count()) === 1, "the next letter");
  });

  it("dead letters: reported by the next letter, by whoever counts them, and by who sends them from elsewhere", async () => {
    const bus = await open({}, { retry: { attemptsMax: 1 } });
    await bus.subscribe("a.#", { group: "g" }, fails);
    await bus.subscribe("live.#", { deadLetter: "g" }, fails);
    const counts = (count: number): Promise<void> => until(async () => (await bus.deadLetters("g").count()) === count, `${count} letters`);
    await bus.publish("a.b", 1);
    await counts(1);
    await remove("queues", ".dead.g");
    await bus.publish("a.b", 2);
    await until(() => reports.length === 1, "reported by the letter");
    await counts(1);
    await remove("queues", ".dead.g");
    assert.equal(await bus.deadLetters("g").count(), 0);
    assert.equal(reports.length, 2);
    await remove("queues", ".dead.g");
    await bus.publish("live.b", 3);
    await until(() => reports.length === 3, "reported by the live subscription's letter");
    await counts(1);
    assert.deepEqual(new Set(reports.map(({ what }) => what)), new Set([`the queue ${namespace}.dead.g with the dead letters of g`]));
  });

  it("the queue of an exclusive group: reported, nothing is lost, and one member is active again", async () => {
    const members = [await open(), await open()];
    const seen: number[] = [];
    for (const [index, bus] of members.entries()) await bus.subscribe("a.#", { group: "g", exclusive: true }, () => void seen.push(index));
    await members[0]?.publish("a.b", 1);
    await until(() => seen.length === 1, "one is active");
    await remove("queues", ".exclusive.g");
    await until(() => reports.length > 0, "it is reported");
    for (let index = 0; index < 20; index++) await members[0]?.publish("a.b", index);
    await until(() => seen.length === 21, "all are handled");
    await until(async () => (await queues(".exclusive.g")).length === 1, "it is there again");
    assert.ok(
      reports.every(({ what, lost }) => what.includes(".exclusive.g") && lost === 0),
      JSON.stringify(reports),
    );
  });

  for (const exchange of ["", ".wait", ".due", ".gone"])
    it(`the exchange {namespace}${exchange}: reported, though nobody publishes, and all works again`, async () => {
      const bus = await open({}, { clock: hasty });
      const seen: string[] = [];
      await bus.subscribe("a.#", { group: "g" }, ({ payload }, { attempt }) => {
        seen.push(`${payload} ${attempt}`);
        if (attempt === 1) fails();
      });
      const reconnected = new Promise((resolve) => bus.on("connection-open", resolve));
      await remove("exchanges", exchange);
      await until(() => reports.some(({ what, lost }) => what.includes("exchange") && lost === "unknown"), "it is reported");
      await reconnected;
      await until(async () => {
        await bus.publish("a.b", "after");
        return seen.includes("after 1");
      }, "it consumes again");
      await until(() => seen.includes("after 2"), "and retries");
    });
});

describe("a group that is removed", () => {
  it("tells also its exclusive members that wait", async () => {
    const [first, second] = [await open(), await open()];
    const subscriptions = [];
    for (const bus of [first, second]) subscriptions.push(await bus.subscribe("a.#", { group: "g", exclusive: true }, () => undefined));
    await first.groups.remove("g");
    for (const { ended } of subscriptions) assert.ok(isHalyardError(await ended, "GROUP_REMOVED"));
    assert.equal(await second.groups.get("g"), undefined);
    assert.deepEqual(reports, []);
  });

  it("leaves its retries to wait to their end: they reach nobody, also where its name lives again, life after life", async () => {
    const bus = await open();
    const seen: string[] = [];
    for (const life of ["first", "second", "third"]) {
      const subscription = await bus.subscribe("a.#", { group: "g", retry: { delayMs: 1_500, jitter: 0, factor: 1 } }, ({ payload }, { attempt }) => {
        seen.push(`${life}: ${payload} ${attempt}`);
        if (attempt === 1) fails();
      });
      await bus.publish("a.b", life);
      await until(() => subscription.stats().retried === 1, "it waits");
      if (life === "third") break;
      await bus.groups.remove("g");
      assert.ok(isHalyardError(await subscription.ended, "GROUP_REMOVED"));
    }
    await until(() => seen.includes("third: third 2"), "the last one comes again");
    assert.deepEqual(seen, ["first: first 1", "second: second 1", "third: third 1", "third: third 2"]);
    await until(async () => (await queues(".wait.")).every(({ messages }) => messages === 0), "nothing waits any more");
    assert.deepEqual(reports, []);
  });

  it("is made again and reported where its queue was then deleted by somebody else, and its retries come back", async () => {
    const bus = await open();
    await bus.groups.define("g", { add: [] });
    await bus.groups.remove("g");
    const seen: string[] = [];
    const subscription = await bus.subscribe("a.#", { group: "g" }, ({ payload }, { attempt }) => {
      seen.push(`${payload} ${attempt}`);
      if (attempt === 1) fails();
    });
    await bus.publish("a.b", "retried");
    await until(() => subscription.stats().retried === 1, "it waits");
    await remove("queues", ".group.g");
    await until(() => reported(".group.g"), "it is reported");
    await until(() => seen.includes("retried 2"), "the retry comes");
  });

  it("touches no retry of others: none comes early where the broker limits deliveries to 20, as RabbitMQ 4 does by default", async () => {
    await manage(broker, "PUT", "policies/%2F/like-4", { pattern: "\\.wait\\.", definition: { "delivery-limit": 20 }, "apply-to": "queues" });
    try {
      const bus = await open();
      const times: number[] = [];
      const subscription = await bus.subscribe("a.#", { group: "g", retry: { delayMs: 4_000, jitter: 0, factor: 1 } }, (_, { attempt }) => {
        times.push(performance.now());
        if (attempt === 1) fails();
      });
      await bus.publish("a.b", 1);
      await until(() => subscription.stats().retried === 1, "it waits");
      for (let index = 0; index < 24; index++) {
        await bus.groups.define(`other-${index}`, { add: [] });
        await bus.groups.remove(`other-${index}`);
      }
      await until(() => times.length === 2, "it comes");
      const [first = 0, second = 0] = times;
      assert.ok(second - first >= 4_000, `it came after ${second - first} ms`);
    } finally {
      await manage(broker, "DELETE", "policies/%2F/like-4");
    }
  }, 30_000);
});
