/** A service changes its codec and compression on a real broker while it works: producers and consumers of both kinds at once. */
import assert from "node:assert/strict";
import { redisStreams } from "@halyard/backend-redis-streams";
import { lz4 } from "@halyard/compression-lz4";
import { type Bus, type BusOptions, createBus } from "@halyard/core";
import { type Broker, startRedis } from "@halyard/testkit/brokers";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { msgpack } from "../src/index.ts";

let broker: Broker;
const buses: Bus[] = [];
let namespaces = 0;
let namespace = "";

beforeAll(async () => {
  broker = await startRedis();
});
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
});
afterAll(() => broker.stop());

/** A member of the service as it was before, and as it is after. */
const before: Partial<BusOptions> = {};
const after: Partial<BusOptions> = { codecs: [msgpack()], compressors: [lz4()] };
const writingNew: Partial<BusOptions> = { ...after, codec: "msgpack", compression: "lz4" };

async function member(options: Partial<BusOptions>): Promise<Bus> {
  const bus = await createBus({ backend: redisStreams(broker.url), namespace, ...options });
  buses.push(bus);
  return bus;
}

/** Every other one is large enough to be compressed. */
const payloadOf = (producer: string, number: number): object => ({
  producer,
  number,
  amount: number * 1.25,
  note: "what is to be known about it, grüße ".repeat(number % 2 === 0 ? 1 : 50),
});

/** Publishes so many, each confirmed, and says which. */
async function produce(name: string, options: Partial<BusOptions>, count: number): Promise<readonly string[]> {
  const bus = await member(options);
  for (let number = 0; number < count; number++) await bus.publish("order.placed", payloadOf(name, number));
  return Array.from({ length: count }, (_, number) => `${name} ${number}`);
}

class Consumer {
  readonly handled: string[] = [];
  readonly bus: Bus;

  constructor(bus: Bus) {
    this.bus = bus;
  }

  static async start(options: Partial<BusOptions>, group = "shop"): Promise<Consumer> {
    const consumer = new Consumer(await member(options));
    await consumer.bus.subscribe("order.placed", { group }, ({ payload }) => {
      const { producer, number } = payload as { readonly producer: string; readonly number: number };
      assert.deepStrictEqual(payload, payloadOf(producer, number));
      consumer.handled.push(`${producer} ${number}`);
    });
    return consumer;
  }
}

const sorted = (names: readonly string[]): readonly string[] => [...names].sort();

test("consumers first and producers after them: nothing is lost, misread or handled twice, and both kinds read both kinds", { timeout: 60_000 }, async () => {
  namespace = `rolling-${Date.now().toString(36)}-${++namespaces}`;
  const consumers = [await Consumer.start(before), await Consumer.start(before)];
  const published: string[] = [];
  const expectAll = () => expect.poll(() => sorted(consumers.flatMap(({ handled }) => handled)), { timeout: 20_000 }).toEqual(sorted(published));

  // While old producers go on, one consumer after the other is replaced.
  const oldOnes = Promise.all(["old-1", "old-2"].map((name) => produce(name, before, 200)));
  for (const old of consumers.slice(0, 2)) {
    consumers.push(await Consumer.start(after));
    await expect.poll(() => old.handled.length, { timeout: 20_000 }).toBeGreaterThan(0);
    await old.bus.close();
  }
  // Then new producers join the old ones.
  const newOnes = Promise.all(["new-1", "new-2"].map((name) => produce(name, writingNew, 200)));
  const lastOld = produce("old-3", before, 200);
  published.push(...(await oldOnes).flat(), ...(await newOnes).flat(), ...(await lastOld));
  await expectAll();

  // Old members read only what old producers wrote; each new one read of both.
  const kinds = (consumer: Consumer): readonly string[] => [...new Set(consumer.handled.map((name) => name.slice(0, 3)))].sort();
  expect(consumers.map(kinds)).toEqual([["old"], ["old"], ["new", "old"], ["new", "old"]]);
  const inspector = await member(after);
  expect(await inspector.deadLetters("shop").count()).toBe(0);
});

test("a consumer without the plug-ins dead-letters what it cannot read, naming the package, and loses none of it", { timeout: 60_000 }, async () => {
  namespace = `rolling-${Date.now().toString(36)}-${++namespaces}`;
  const old = await Consumer.start(before);
  const mixed = await Promise.all([
    produce("old", before, 50),
    produce("msgpack", { ...after, codec: "msgpack" }, 50),
    produce("lz4", { ...after, compression: "lz4" }, 50),
    produce("both", writingNew, 50),
  ]);
  const [olds = []] = mixed;
  const readable = [...olds, ...(mixed[2] ?? []).filter((name) => Number(name.split(" ")[1]) % 2 === 0)];
  await expect.poll(() => sorted(old.handled), { timeout: 20_000 }).toEqual(sorted(readable));

  const letters = old.bus.deadLetters("shop");
  await expect.poll(() => letters.count(), { timeout: 20_000 }).toBe(200 - readable.length);
  const errors = new Map<string, number>();
  for (const letter of await letters.list({ limit: 200 })) {
    const named = /Install (@halyard\/[a-z0-9-]+)/.exec(letter.error?.message ?? "")?.[1];
    const key = `${letter.error?.code} ${named}`;
    errors.set(key, (errors.get(key) ?? 0) + 1);
  }
  expect([...errors].sort()).toEqual([
    ["UNKNOWN_CODEC @halyard/codec-msgpack", 75],
    ["UNKNOWN_COMPRESSION @halyard/compression-lz4", 50],
  ]);

  // The package is installed, the letters are driven again: now all of it has been handled, once.
  await old.bus.close();
  const current = await Consumer.start(after);
  await current.bus.deadLetters("shop").redrive("all");
  await expect.poll(() => sorted([...old.handled, ...current.handled]), { timeout: 20_000 }).toEqual(sorted(mixed.flat()));
  expect(await current.bus.deadLetters("shop").count()).toBe(0);
});
