/** The broker goes away and comes back: promises 4 and 18. */
import assert from "node:assert/strict";
import { createBus, isHalyardError } from "@halyard/core";
import { numbers, pause } from "../../recorder.ts";
import { type BrokerCase, needsDurable } from "../broker-case.ts";
import type { BrokerWorld } from "../broker-world.ts";

/** Long enough that clients notice, shorter than a publish waits. */
const pausedMs = 3_000;
const killsOfBroker = 3;
/** Between two faults. */
const calmMs = 500;

/** One publisher, two consumers and a steady load, and something that happens meanwhile. `act` gets a check that messages flow, for in between. */
export async function underLoad(
  world: BrokerWorld,
  act: (assertFlows: () => Promise<void>) => Promise<void>,
  load: Parameters<BrokerWorld["load"]>[1] = {},
): Promise<void> {
  const publisher = await world.bus();
  for (const consumer of [await world.bus(), await world.bus()]) await world.consume(consumer, { group: "g", run: () => pause(Math.random() * 4) });
  const loading = world.load(publisher, load);
  await pause(calmMs);
  await act(() => world.assertFlows(publisher, "g"));
  await pause(calmMs);
  await loading.stop();
  await world.assertFlows(publisher, "g");
  await world.closes(publisher, "g");
}

export interface Calm {
  /** Both at least, between two kills: so that there is something to lose. */
  readonly durationMs: number;
  readonly accepted: number;
}

/** SIGKILL and start, again and again, each time until messages have flowed for a while. */
export async function kills(world: BrokerWorld, count: number, assertFlows: () => Promise<void>, calm: Calm): Promise<void> {
  for (let kill = 0; kill < count; kill++) {
    const before = world.accepted;
    await pause(calm.durationMs);
    await world.until(() => world.accepted - before >= calm.accepted, `${calm.accepted} messages are accepted between two kills`);
    await world.killBroker();
    await world.broker.start();
    await assertFlows();
  }
}

export const restartCases: readonly BrokerCase[] = [
  {
    promise: 18,
    title: "an orderly restart of the broker under load loses nothing",
    needs: needsDurable,
    run: (world) => underLoad(world, () => world.strike(() => world.broker.restart())),
  },
  {
    promise: 18,
    title: `${killsOfBroker} kills of the broker under load lose nothing`,
    needs: needsDurable,
    run: (world) => underLoad(world, (assertFlows) => kills(world, killsOfBroker, assertFlows, { durationMs: calmMs, accepted: 100 })),
  },
  {
    promise: 18,
    title: "a broker that stands still for a while under load loses nothing",
    run: (world) =>
      underLoad(world, () =>
        world.strike(
          async () => {
            world.broker.pause();
            await pause(pausedMs);
            world.broker.resume();
          },
          { isStanding: true },
        ),
      ),
  },
  {
    promise: 18,
    title: "a bus that is created while the broker is down rejects in time, or is there when the broker is",
    async run(world) {
      await world.killBroker({ isEmpty: true });
      const startTimeoutMs = 1_000;
      const startMs = performance.now();
      const impatient = createBus({ backend: await world.backend(), namespace: world.namespace, limits: { startTimeoutMs, connectTimeoutMs: startTimeoutMs } });
      await assert.rejects(impatient, (error) => isHalyardError(error, "CONNECT_FAILED") || isHalyardError(error, "TIMEOUT"));
      assert.ok(performance.now() - startMs < startTimeoutMs * 3, "it took its time to say so");
      const patient = world.bus();
      patient.catch(() => undefined); // awaited below
      await world.broker.start();
      const bus = await patient;
      await world.consume(bus, { group: "g" });
      await world.assertFlows(bus, "g");
      await world.closes(bus, "g");
    },
  },
  {
    promise: 4,
    title: "what waits for a group without members survives a kill of the broker",
    needs: needsDurable,
    async run(world) {
      const bus = await world.bus();
      await bus.groups.define("g", { add: ["b.#"] });
      await Promise.all(numbers(500).map((index) => world.publish(bus, `m${index}`)));
      await world.killBroker();
      await world.broker.start();
      await world.consume(bus, { group: "g" });
      await world.assertFlows(bus, "g");
      await world.closes(bus, "g");
    },
  },
];
