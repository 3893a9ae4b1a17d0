/** Three servers: a leader that dies, and a server that announces its end. */
import { type Bus, createBus } from "@halyard/core";
import { type NatsCluster, startNatsCluster } from "@halyard/testkit/brokers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nats } from "../src/index.ts";

let cluster: NatsCluster;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  cluster = await startNatsCluster();
}, 60_000);

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

afterAll(async () => cluster?.stop());

async function busOn(namespace: string): Promise<Bus> {
  const backend = nats({
    servers: cluster.nodes.map(({ url }) => url),
    stream: { replicas: 3 },
    ackWaitMs: 3_000,
    confirmTimeoutMs: 2_000,
    pingIntervalMs: 500,
  });
  const bus = await createBus({ backend, namespace });
  closing.push(() => bus.close({ timeoutMs: 1_000 }));
  return bus;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within 60 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A steady load from one bus to a group on another. */
async function load(publisher: Bus, consumer: Bus): Promise<{ readonly accepted: Set<string>; readonly handled: Set<string>; stop(): Promise<void> }> {
  const [accepted, handled] = [new Set<string>(), new Set<string>()];
  let isOver = false;
  await consumer.subscribe("a.#", { group: "g", concurrency: 10 }, ({ id }) => void handled.add(id));
  const loops = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const { id } = await publisher.publish("a.b", 1);
      accepted.add(id);
    }
  });
  return {
    accepted,
    handled,
    stop: async () => {
      isOver = true;
      await Promise.all(loops);
    },
  };
}

describe("a cluster", { timeout: 120_000 }, () => {
  it("loses nothing when the leader of the stream is killed", async () => {
    const [publisher, consumer] = [await busOn("killed"), await busOn("killed")];
    const { accepted, handled, stop } = await load(publisher, consumer);
    await until(() => handled.size > 500, "messages flow");
    const leader = await cluster.streamLeader("killed");
    await leader.kill();
    const before = handled.size;
    await until(() => handled.size > before + 500, "messages flow again");
    await stop();
    await until(() => [...accepted].every((id) => handled.has(id)), "all that was accepted is handled");
    await leader.start();
  });

  it("is left in good time by a session whose server announces its end", async () => {
    const [publisher, consumer] = [await busOn("leaving"), await busOn("leaving")];
    let moves = 0;
    for (const bus of [publisher, consumer]) bus.on("connection-loss", () => void moves++);
    const { accepted, handled, stop } = await load(publisher, consumer);
    await until(() => handled.size > 500, "messages flow");
    for (const node of cluster.nodes) {
      const before = moves;
      process.kill(node.pid, "SIGUSR2");
      await new Promise((resolve) => setTimeout(resolve, 500));
      if (moves > before) break; // one of them had a session
      await node.restart();
    }
    expect(moves).toBeGreaterThan(0);
    const size = handled.size;
    await until(() => handled.size > size + 500, "messages flow again");
    await stop();
    await until(() => [...accepted].every((id) => handled.has(id)), "all that was accepted is handled");
  });

  it("has one active member in an exclusive group, and keeps each key's order, when the leader of its lock is killed", async () => {
    const namespace = "alone";
    const [publisher, first, second] = [await busOn(namespace), await busOn(namespace), await busOn(namespace)];
    const done = new Set<number>();
    const overtaken: string[] = [];
    let running = 0;
    let runningMax = 0;
    for (const bus of [first, second]) {
      await bus.subscribe("a.#", { group: "g", exclusive: true, ordered: true, inFlightMax: 20 }, async ({ payload }) => {
        runningMax = Math.max(runningMax, ++running);
        const number = Number(payload);
        if (number > 0 && !done.has(number - 1)) overtaken.push(`${number} before ${number - 1}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
        done.add(number);
        running--;
      });
    }
    let isOver = false;
    let count = 0;
    const publishing = (async () => {
      // The stream of topics may have another leader: what piles up while nobody is active must not take a minute to handle, one by one.
      for (; !isOver; count++) {
        await until(() => count - done.size < 1_000, "somebody handles what was published");
        await publisher.publish("a.b", count, { key: "k" });
      }
    })();
    await until(() => done.size > 200, "messages flow");
    const leader = await cluster.streamLeader(`${namespace}_inbox`);
    await leader.kill();
    const before = done.size;
    await until(() => done.size > before + 200, "messages flow again");
    isOver = true;
    await publishing;
    await until(() => done.size === count, "all are handled");
    await leader.start();
    expect(overtaken).toEqual([]);
    expect(runningMax).toBe(1);
  });

  it("removes a group, and makes it again", { timeout: 60_000 }, async () => {
    const bus = await busOn("removed");
    await bus.groups.define("g", { add: ["a.#", "b"] });
    await bus.groups.remove("g");
    expect(await bus.groups.get("g")).toBeUndefined();
    const handled: unknown[] = [];
    await bus.subscribe("a.#", { group: "g" }, ({ payload }) => void handled.push(payload));
    await bus.publish("a.b", 1);
    await until(() => handled.length === 1, "the new group gets its message");
  });
});
