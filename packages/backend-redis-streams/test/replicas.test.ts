/** A master with a replica: what `confirm: "replicated"` promises, and what `health` warns of. */
import { systemClock } from "@halyard/core/spi";
import { type Broker, startRedis } from "@halyard/testkit/brokers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { redisStreams } from "../src/index.ts";
import { asOperator } from "./operator.ts";
import { idsOf, join, message, never, take, until } from "./redis-fixture.ts";

const timeout = 40_000;
const host = { namespace: "replicas", clientName: "client", clock: systemClock, random: Math.random, report: () => undefined };
let master: Broker;
let replica: Broker;

beforeAll(async () => {
  master = await startRedis({ isOwned: true, config: ["repl-diskless-sync-delay 0", "repl-ping-replica-period 1"] });
  replica = await startRedis({ isOwned: true, config: [`replicaof 127.0.0.1 ${master.port}`] });
  await asOperator(master, (redis) => until(async () => /state=online/.test(await redis.info("replication")), "the replica follows"));
}, timeout);

afterAll(async () => {
  await replica?.stop();
  await master?.stop();
});

it("accepts what a replica has, calls the outcome unknown while it stalls, and stores nothing twice when it is back", { timeout }, async () => {
  const session = await redisStreams({ port: master.port, confirm: "replicated", replicaTimeoutMs: 300 }).connect(host, never);
  const member = await join(session, "g", "a.#");
  const isReplicated = async (id: string): Promise<boolean> => {
    const statuses = await session.publish([message("a.b", id)], { signal: never });
    return statuses?.every(({ status }) => status === "accepted") ?? true;
  };
  await until(() => isReplicated("before"), "the replica, which has just come, answers in time");
  replica.pause();
  try {
    const statuses = await session.publish([message("a.b", "meanwhile")], { signal: never });
    expect(statuses?.map(({ status }) => status)).toEqual(["unknown"]);
  } finally {
    replica.resume();
  }
  await until(() => isReplicated("meanwhile"), "the replica has it");
  await until(() => isReplicated("after"), "the replica has that too");
  expect(idsOf(await take(member, 3))).toEqual(["before", "meanwhile", "after"]);
  await session.close();
});

it("warns where a master with a replica accepts writes without it", { timeout }, async () => {
  const session = await redisStreams({ port: master.port }).connect(host, never);
  expect(await session.admin.warnings(never)).toEqual([expect.stringContaining("min-replicas-to-write 1")]);
  await asOperator(master, (redis) => redis.config("SET", "min-replicas-to-write", "1"));
  expect(await session.admin.warnings(never)).toEqual([]);
  await session.close();
});

it("is no place to connect to", { timeout }, async () => {
  await expect(redisStreams({ port: replica.port }).connect(host, never)).rejects.toThrow(/is a replica: connect to its master/);
});
