/** What shows only after a while, or in large numbers: memory under a producer that nothing slows down, a broker that stands still, and fifty orderly ends. */
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Bus, isHalyardError } from "@halyard/core";
import { type BrokerCase, needsProcesses } from "../conformance/broker-faults/broker-case.ts";
import type { BrokerWorld } from "../conformance/broker-faults/broker-world.ts";
import { processesDrain } from "../conformance/broker-faults/cases/processes.ts";
import { underLoad } from "../conformance/broker-faults/cases/restarts.ts";
import { pause } from "../conformance/recorder.ts";

const ends = 50;
const standstillMs = 10_000;

const producedMs = 60_000;
/** Of them the consumer handles a tenth. */
const producedPerSecond = 2_000;
const waitingMin = 100_000;
/** How long a slow handler then has them all before it. */
const slowMs = 15_000;
/** The first seconds fill caches and pools, and let the compiler in. */
const warmUpMs = 8_000;
const growthBytesMax = 64 * 1024 * 1024;
const publishMessagesMax = 5_000;
const bodyBytes = 1_000;
const concurrency = 20;
const inFlightMax = 100;
const handlerMs = 100; // 20 at once: 200 a second
const drainMsMax = 300_000;

/** Node collects on request only with this flag. */
function collect(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

/** The most that the process has grown since `begin`. */
class MemoryWatch {
  #startBytes = 0;
  grownBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  begin(): void {
    collect();
    this.#startBytes = process.memoryUsage.rss();
    this.#timer = setInterval(() => {
      this.grownBytes = Math.max(this.grownBytes, process.memoryUsage.rss() - this.#startBytes);
    }, 250);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  assertBounded(): void {
    assert.ok(this.grownBytes < growthBytesMax, `the process grew by ${Math.round(this.grownBytes / 1_048_576)} MiB`);
  }
}

/** Publishes without waiting for answers, and each second far more at once than may be open. */
class Producer {
  accepted = 0;
  refused = 0;
  readonly failures: unknown[] = [];
  readonly #bus: Bus;
  #open = 0;
  #next = 0;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  async run(isOver: () => boolean): Promise<void> {
    const startMs = performance.now();
    for (let second = 1; !isOver(); ) {
      const due = ((performance.now() - startMs) / 1_000) * producedPerSecond;
      while (this.#next < due) this.#publish();
      if (performance.now() - startMs > second * 1_000) {
        for (let count = 0; count < publishMessagesMax * 1.2; count++) this.#publish();
        second++;
      }
      await pause(10);
    }
    while (this.#open > 0) await pause(50);
  }

  #publish(): void {
    this.#next++;
    this.#open++;
    this.#bus.publish("p.one", "x".repeat(bodyBytes)).then(
      () => {
        this.accepted++;
        this.#open--;
      },
      (error: unknown) => {
        this.#open--;
        if (isHalyardError(error, "BACKPRESSURE")) this.refused++;
        else this.failures.push(error);
      },
    );
  }
}

async function memoryIsBounded(world: BrokerWorld): Promise<void> {
  const consumer = await world.bus();
  const bus = await world.bus({ limits: { publishMessagesMax } });
  let losses = 0;
  for (const each of [bus, consumer]) each.on("connection-loss", () => void losses++);
  let isSlow = true;
  const subscription = await consumer.subscribe("p.#", { group: "g", concurrency, inFlightMax }, () => (isSlow ? pause(handlerMs) : undefined));
  const producer = new Producer(bus);
  const watch = new MemoryWatch();
  const startMs = performance.now();
  const waiting = (): number => producer.accepted - subscription.stats().handled;
  const producing = producer.run(() => performance.now() - startMs > producedMs && waiting() >= waitingMin);
  try {
    await pause(warmUpMs);
    watch.begin();
    await producing;
    const handledBefore = subscription.stats().handled;
    for (let step = 0; step < slowMs / 50; step++) {
      assert.ok(subscription.stats().inFlight <= inFlightMax, "more is held than inFlightMax");
      await pause(50);
    }
    assert.ok(subscription.stats().handled > handledBefore, "the slow handler makes no progress");
    assert.equal(losses, 0, "a connection was lost");
    watch.assertBounded();
  } finally {
    watch.end();
  }
  assert.deepEqual(producer.failures, [], "publishes failed for another reason than too many at once");
  assert.ok(producer.refused > 0, "the producer never had more open than it may");
  console.info(`${producer.accepted} accepted, ${producer.refused} refused, ${waiting()} wait; grown by ${Math.round(watch.grownBytes / 1_048_576)} MiB`);
  isSlow = false;
  await world.until(
    () => waiting() <= 0,
    () => `all are handled; ${waiting()} of ${producer.accepted} are not`,
    drainMsMax,
  );
  assert.equal(consumer.metrics().handled, producer.accepted, "each is handled once");
}

export const pressureCases: readonly BrokerCase[] = [
  {
    promise: 5,
    title: `a producer ten times as fast as the consumer for ${producedMs / 1_000} s, ${waitingMin} waiting: no connection is lost, memory grows by less than 64 MiB`,
    run: memoryIsBounded,
  },
  {
    promise: 18,
    title: `a broker that stands still for ${standstillMs / 1_000} s under load loses nothing`,
    run: (world) =>
      underLoad(
        world,
        () =>
          world.strike(
            async () => {
              world.broker.pause();
              await pause(standstillMs);
              world.broker.resume();
            },
            { isStanding: true },
          ),
        { perWave: 10, everyMs: 25 },
      ),
  },
  {
    promise: 20,
    title: `a process that is told to end by SIGTERM under load loses nothing and repeats nothing, ${ends} times`,
    needs: (_, subject) => needsProcesses(subject),
    run: (world) => processesDrain(world, ends),
  },
];
