/** What is known beyond AMQP where the management plugin may be asked: right after a while, and `undefined` rather than wrong until then. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type Bus, createBus, type GroupInfo, silentLogger } from "@halyard/core";
import { describeBackend } from "@halyard/testkit";
import { type RabbitmqBroker, startRabbitmq } from "@halyard/testkit/brokers";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import { amqp } from "../src/index.ts";
import { onRabbitmq, sweep } from "./rabbitmq.ts";

describeBackend("amqp with the management plugin", { ...onRabbitmq({ isManaged: true }), only: [22] });

/** The plugin may be 10 s late. */
const settledMs = 20_000;

describe("the management plugin", () => {
  let broker: RabbitmqBroker;
  let namespace = "";
  let names = 0;
  const buses: Bus[] = [];

  beforeAll(async () => {
    broker = await startRabbitmq();
  }, 90_000);
  afterAll(async () => broker?.stop());
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close({ timeoutMs: 100 })));
    await sweep(broker, namespace);
    namespace = "";
  });

  async function open(): Promise<Bus> {
    if (namespace === "") namespace = `kit-${Date.now().toString(16)}${++names}`;
    const bus = await createBus({ backend: amqp({ url: broker.url, managementUrl: broker.managementUrl }), namespace, logger: silentLogger });
    buses.push(bus);
    return bus;
  }

  /** Waits for the number, and meanwhile lets it be nothing but `allowed`. */
  async function becomes(bus: Bus, what: keyof GroupInfo, wanted: number, ...allowed: readonly (number | undefined)[]): Promise<void> {
    for (const untilMs = Date.now() + settledMs; ; await sleep(50)) {
      const value = (await bus.groups.get("g"))?.[what];
      if (value === wanted) return;
      assert.ok(allowed.includes(value as number | undefined), `${what} is ${value}`);
      assert.ok(Date.now() < untilMs, `${what} is still ${value}, not ${wanted}`);
    }
  }

  it("knows members, of which each has several consumers, and what they hold", async () => {
    const [first, second] = [await open(), await open()];
    await first.groups.define("g", { add: ["x.#"] });
    await becomes(first, "members", 0);
    await becomes(first, "inFlight", 0);
    const hang = (): Promise<void> => new Promise(() => undefined);
    const options = { group: "g", concurrency: 3, inFlightMax: 3 };
    await first.subscribe("x.#", options, hang);
    await first.publishBatch(Array.from({ length: 3 }, (_, index) => ({ topic: "x.one", payload: index })));
    await becomes(first, "members", 1, undefined);
    const other = await second.subscribe("x.#", options, hang);
    await first.publishBatch(Array.from({ length: 8 }, (_, index) => ({ topic: "x.one", payload: index })));
    await becomes(first, "members", 2, undefined);
    await becomes(first, "inFlight", 6, undefined, 0, 3);
    await becomes(first, "waiting", 5);
    assert.deepEqual(
      (await first.inspect()).groups?.map(({ name, members, inFlight, waiting, delayed }) => ({ name, members, inFlight, waiting, delayed })),
      [{ name: "g", members: 2, inFlight: 6, waiting: 5, delayed: undefined }],
    );
    await other.close({ timeoutMs: 1 });
    await becomes(first, "members", 1, undefined);
    await becomes(first, "waiting", 8);
    await becomes(first, "inFlight", 3, 6);
  }, 90_000);

  it("counts members of an exclusive group that wait", async () => {
    const [first, second, third] = [await open(), await open(), await open()];
    for (const bus of [first, second, third]) await bus.subscribe("x.#", { group: "g", exclusive: true }, () => undefined);
    await becomes(first, "members", 3, undefined, 1, 2); // waiting ones show late
    await first.close();
    await becomes(second, "members", 2, undefined, 1, 3);
  }, 90_000);
});
