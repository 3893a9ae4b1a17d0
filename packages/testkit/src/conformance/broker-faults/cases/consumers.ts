/** A consumer's process dies: promises 6 and 10. */
import assert from "node:assert/strict";
import { firstReason } from "../../case.ts";
import { counted, numbers } from "../../recorder.ts";
import { type BrokerCase, needsDurable, needsProcesses } from "../broker-case.ts";
import type { BrokerWorld } from "../broker-world.ts";
import type { Entry } from "../disk-ledger.ts";
import type { WorkerWord } from "../worker-orders.ts";

const killsOfConsumer = 3;
/** Core condemns a message after twice its budget of three, alone; some deaths go by before it is alone. */
const deathsMax = 20;
/** Clocks of two processes on one machine are one clock, read in milliseconds. */
const graceMs = 20;

/** As in the kit's own cases, and in the endurance run with a longer delay. */
export async function retriesSurvive(world: BrokerWorld, delayMs: number): Promise<void> {
  const count = 20;
  const bus = await world.bus();
  await bus.groups.define("g", { add: ["b.#"] });
  const orders = { group: "g", job: "fail-once", retryDelayMs: delayMs, concurrency: count, inFlightMax: 2 * count } as const;
  await world.consume(bus, { group: "other" });
  const first = await world.process(orders);
  await Promise.all(numbers(count).map((index) => world.publish(bus, `m${index}`)));
  const of = (fact: Entry["fact"], group: string): readonly Entry[] => world.books.entries().filter((entry) => entry.fact === fact && entry.group === group);
  await world.until(() => of("moved", "g").length === count && of("acked", "other").length === count, "all retries wait");
  await first.kill();
  await world.killBroker();
  await world.broker.start();
  await world.process(orders);
  await world.until(() => new Set(of("handled", "g").map(({ id }) => id)).size === count, "all are retried", delayMs + world.deadlineMs);
  await world.closes(bus, "g");
  // A broker that forgot an ack in its death hands the first attempt over again: the retry that was stored before counts from the earlier run.
  const firstRuns = new Map<string, number>();
  for (const { id, attempt, timeMs } of of("delivered", "g"))
    if (attempt === 1) firstRuns.set(id, Math.min(timeMs, firstRuns.get(id) ?? Number.POSITIVE_INFINITY));
  for (const { id, attempt, timeMs } of of("delivered", "g")) {
    if (attempt === 1) continue;
    const waitedMs = timeMs - (firstRuns.get(id) ?? 0);
    assert.ok(waitedMs >= delayMs - graceMs, `a retry came after ${waitedMs} of ${delayMs} ms`);
  }
  assert.deepEqual([...counted(of("handled", "g").map(({ id }) => id)).values()], Array(count).fill(1), "each is handled once");
  assert.ok(
    of("delivered", "other").every(({ attempt }) => attempt === 1),
    "another group saw a retry",
  );
}

/** One poison message in front, good ones in the buffer behind it, and processes that die of it. */
export async function poisonIsAlone(world: BrokerWorld): Promise<void> {
  const bus = await world.bus();
  await bus.groups.define("g", { add: ["b.#"] });
  await world.publish(bus, "poison", { payload: { poison: true } });
  await Promise.all(numbers(100).map((index) => world.publish(bus, `m${index}`)));
  const orders = { group: "g", job: "die", concurrency: 4, inFlightMax: 110 } as const;
  const isOver = async (): Promise<boolean> => (await bus.deadLetters("g").count()) > 0;
  let deaths = 0;
  while (deaths < deathsMax && !(await isOver())) {
    const worker = await world.process(orders).catch(() => undefined); // a process that dies while it subscribes has also died
    let isDead = worker === undefined;
    void worker?.exited.then(() => {
      isDead = true;
    });
    await world.until(async () => isDead || (await isOver()), "the poison kills, or is a dead letter");
    if (isDead) deaths++;
  }
  const letters = await bus.deadLetters("g").list();
  assert.deepEqual(
    letters.map(({ id, reason }) => [id, reason]),
    [["poison", "crashed"]],
    `after ${deaths} deaths`,
  );
  await world.closes(bus, "g", ["poison"]);
}

/** Longer than the leases and heartbeats that the suites set. */
const standstillMs = 6_000;
/** A message has three hand-overs to become a suspect and three trials, each of which ends with a lease that lapses or a connection that breaks. */
const standstillsMsMax = 15 * standstillMs;

/** A handler that keeps its process from running, each time, until the broker gives up on it: the process lives, and yet the message must come to an end. */
export async function standstillIsAlone(world: BrokerWorld): Promise<void> {
  const bus = await world.bus();
  await bus.groups.define("g", { add: ["b.#"] });
  await world.publish(bus, "standstill", { payload: { blockMs: standstillMs, always: true } });
  await Promise.all(numbers(100).map((index) => world.publish(bus, `m${index}`)));
  const worker = await world.process({ group: "g", job: "block", concurrency: 4, inFlightMax: 110 });
  let isGone = false;
  void worker.exited.then(() => {
    isGone = true;
  });
  const isOver = async (): Promise<boolean> => isGone || (await bus.deadLetters("g").count()) > 0;
  await world.strike(() => world.until(isOver, "the message comes to an end", standstillsMsMax));
  assert.equal(isGone, false, "the process died of it");
  const letters = await bus.deadLetters("g").list();
  assert.deepEqual(
    letters.map(({ id, reason }) => [id, reason]),
    [["standstill", "crashed"]],
  );
  await world.closes(bus, "g", ["standstill"]);
}

export const consumerCases: readonly BrokerCase[] = [
  {
    promise: 10,
    title: `what a consumer held that is killed in mid-handler comes back, ${killsOfConsumer} times, its attempt unchanged`,
    needs: (_, subject) => needsProcesses(subject),
    async run(world) {
      const bus = await world.bus();
      await bus.groups.define("g", { add: ["b.#"] });
      await Promise.all(numbers(50).map((index) => world.publish(bus, `m${index}`)));
      for (let kill = 0; kill < killsOfConsumer; kill++) {
        const victim = await world.process({ group: "g", job: "hold" });
        await victim.waitFor((word: WorkerWord) => "started" in word, 60_000);
        await victim.kill();
      }
      await world.consume(bus, { group: "g" });
      await world.assertFlows(bus, "g");
      await world.closes(bus, "g");
      const runs = world.books.entries().filter(({ fact }) => fact === "delivered");
      assert.ok(
        runs.every(({ attempt }) => attempt === 1),
        "a death was counted as a failed attempt",
      );
    },
  },
  {
    promise: 6,
    title: "retries that wait survive a kill of the broker and of the consumer, come no sooner than asked, once, and to their own group only",
    needs: (capabilities, subject) => needsDurable(capabilities) ?? needsProcesses(subject),
    run: (world) => retriesSurvive(world, 3_000 + (world.subject.settleMs ?? 0)),
  },
  {
    promise: 10,
    title: "a message that kills its process is the only dead letter, with 100 good ones behind it",
    needs: ({ countsDeliveries }, subject) => firstReason([!countsDeliveries, "it does not count deliveries"]) ?? needsProcesses(subject),
    run: poisonIsAlone,
  },
];
