/** Processes that are told to end, are stopped for a while, or stand still by their own doing: promises 11, 18 and 20. */
import assert from "node:assert/strict";
import type { Worker } from "../../../workers.ts";
import { counted, numbers } from "../../recorder.ts";
import { type BrokerCase, needsProcesses } from "../broker-case.ts";
import type { BrokerWorld } from "../broker-world.ts";
import type { Entry, Fact } from "../disk-ledger.ts";
import type { WorkerCommand, WorkerWord } from "../worker-orders.ts";

const roundsOfSuite = 10;
/** Of the closing of one process: its handlers take milliseconds. */
const exitMsMax = 15_000;
/** Longer than three times any heartbeat, ping or command timeout that a suite sets, and than its lease. */
const blockMs = 4_500;
const held = 5;

const tell = (worker: Worker, command: WorkerCommand): void => worker.send({ command });
const of = (world: BrokerWorld, fact: Fact): readonly Entry[] => world.books.entries().filter((entry) => entry.fact === fact);

/** One process after the other is told to end by SIGTERM while messages come in faster than it handles them; the next is there before. */
export async function processesDrain(world: BrokerWorld, rounds: number): Promise<void> {
  const orders = { group: "g", job: "handle", concurrency: 5, inFlightMax: 40, runMs: 10 } as const;
  const bus = await world.bus();
  await bus.groups.define("g", { add: ["b.#"] });
  const loading = world.load(bus, { perWave: 12, everyMs: 25 });
  let current = await world.process(orders);
  for (let round = 0; round < rounds; round++) {
    const before = of(world, "handled").length;
    const next = await world.process(orders);
    await world.until(() => of(world, "handled").length > before + orders.inFlightMax, "they are at work");
    const exit = await within(
      exitMsMax,
      current.kill("SIGTERM").then(() => current.exited),
    );
    assert.deepEqual(exit, { code: null, signal: "SIGTERM" }, `a process that drained did not end by its signal; its output: ${current.output}`);
    current = next;
  }
  await loading.stop();
  await world.consume(bus, { group: "g", concurrency: 50, inFlightMax: 100 });
  await world.assertFlows(bus, "g");
  const { duplicates } = await world.closes(bus, "g");
  assert.equal(duplicates, 0, "what had ended well before its process was gone came again");
  const begun = of(world, "delivered");
  assert.deepEqual(
    [...counted(begun.map(({ id }) => id))].filter(([, times]) => times > 1),
    [],
    "what was begun was not finished, and came again",
  );
  const attempts = begun.filter(({ attempt }) => attempt > 1);
  assert.equal(attempts.length, 0, "what was given back counted as a failed attempt");
}

async function within<Value>(deadlineMs: number, promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `a process did not end within ${deadlineMs} ms of its SIGTERM` })), deadlineMs);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** SIGSTOP is what a swapped-out machine, a paused container and a long collection look like from outside. */
async function stoppedOwnerIsRefused(world: BrokerWorld): Promise<void> {
  const bus = await world.bus();
  const old = await world.process({ group: "g", job: "wait", concurrency: held, inFlightMax: held });
  await Promise.all(numbers(held).map((index) => world.publish(bus, `m${index}`)));
  await world.until(() => of(world, "delivered").length === held, "it holds them all");
  await old.kill("SIGSTOP");
  const other = await world.bus();
  await world.consume(other, { group: "g" });
  await world.until(() => of(world, "acked").length === held, "another member handles what the stopped one held");
  await other.close();
  tell(old, "go on"); // read as soon as it wakes, together with all else that it slept through
  await old.kill("SIGCONT");
  let refused = 0;
  await world.until(
    async () => {
      const heard = old.messages.length;
      tell(old, "count");
      await world.until(
        () => old.messages.length > heard,
        () => `it answers; its output: ${old.output}`,
      );
      const last = old.messages.at(-1) as WorkerWord; // it was asked for nothing else
      refused = "stale" in last ? last.leasesLost + last.stale : 0;
      return refused >= held;
    },
    () => `the old owner counts what was refused: ${refused} of ${held}`,
  );
  assert.equal(refused, held, "the old owner counts each refusal once");
  const settled = [...of(world, "acked"), ...of(world, "moved")].map(({ id }) => id);
  assert.deepEqual([...counted(settled).values()], Array(held).fill(1), "each is settled once");
  await world.assertFlows(bus, "g"); // by the old owner, who is the only one left
  await old.kill();
  await world.closes(bus, "g");
}

/** A handler that computes keeps its process from answering heartbeats and pings, and from extending leases. */
async function blockedLoopRecovers(world: BrokerWorld): Promise<void> {
  const bus = await world.bus();
  const worker = await world.process({ group: "g", job: "block" });
  let isGone = false;
  void worker.exited.then(() => {
    isGone = true;
  });
  await world.strike(() => world.publish(bus, "blocks", { payload: { blockMs } }));
  await Promise.all(numbers(30).map((index) => world.publish(bus, `m${index}`)));
  await world.until(() => isGone || world.books.isHandled("g", "blocks"), "it goes on after it stood still");
  await world.assertFlows(bus, "g");
  assert.equal(isGone, false, `the process died: ${worker.output}`);
  await world.closes(bus, "g");
  assert.equal(isGone, false, `the process died: ${worker.output}`);
}

export const processCases: readonly BrokerCase[] = [
  {
    promise: 20,
    title: `a process that is told to end by SIGTERM under load loses nothing and repeats nothing, ${roundsOfSuite} times`,
    needs: (_, subject) => needsProcesses(subject),
    run: (world) => processesDrain(world, roundsOfSuite),
  },
  {
    promise: 11,
    title: "a process that was stopped for longer than its lease settles nothing of what others have handled, counts it, and works again",
    needs: (_, subject) => needsProcesses(subject),
    run: stoppedOwnerIsRefused,
  },
  {
    promise: 18,
    title: "a handler that keeps its process from answering for three heartbeats loses nothing, and the process works again",
    needs: (_, subject) => needsProcesses(subject),
    run: blockedLoopRecovers,
  },
];
