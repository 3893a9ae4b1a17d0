/** Masters that die, and the next one that takes over. */
import { inspect } from "node:util";
import { createBus } from "@halyard/core";
import { isHalyardError } from "@halyard/core/spi";
import { startRedisCluster, startRedisSentinel } from "@halyard/testkit/brokers";
import { Redis } from "ioredis";
import { expect, it } from "vitest";
import { redisStreams } from "../src/index.ts";
import { asOperator } from "./operator.ts";
import { until } from "./redis-fixture.ts";
import { addressesOf, impatient, survives } from "./survives.ts";

it("goes on with the next master that the sentinels name", { timeout: 120_000 }, async () => {
  await using cluster = await startRedisSentinel({ minReplicasToWrite: 1 });
  const backend = redisStreams({ ...impatient, sentinels: addressesOf(cluster.sentinels), name: cluster.name, confirm: "replicated" });
  await survives(backend, "sentinel", async () => (await cluster.master()).kill());
});

it("signs in to sentinels and master, each with credentials of its own", { timeout: 120_000 }, async () => {
  await using cluster = await startRedisSentinel({ replicas: 1, config: ["user app on >word-of-the-master ~* &* +@all"] });
  for (const sentinel of cluster.sentinels)
    await asOperator(sentinel, (redis) =>
      redis.call("ACL", "SETUSER", "watcher", "on", ">word-of-the-sentinels", "+sentinel|get-master-addr-by-name", "+client|setname"),
    );
  const access = {
    sentinels: addressesOf(cluster.sentinels),
    name: cluster.name,
    sentinelUsername: "watcher",
    sentinelPassword: "word-of-the-sentinels",
    username: "app",
    password: "word-of-the-master",
  };
  const bus = await createBus({ backend: redisStreams({ ...impatient, ...access }), namespace: "credentials" });
  await bus.publish("a.b", 1);
  await bus.close();
  for (const wrong of [{ sentinelPassword: "another" }, { password: "another" }]) {
    const backend = redisStreams({ ...impatient, ...access, ...wrong });
    const error: unknown = await createBus({ backend, namespace: "credentials", limits: { startTimeoutMs: 3_000 } }).catch((thrown: unknown) => thrown);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/word-of|another/);
    expect(isHalyardError(error, "AUTH_FAILED") && error.message).toContain("password" in wrong ? "check username" : "check sentinelUsername");
  }
});

it("follows its slot through a cluster, also from a client that was handed in", { timeout: 120_000 }, async () => {
  await using cluster = await startRedisCluster();
  const seeds = addressesOf(cluster.nodes);
  // Whatever node a URL names, the namespace's own is found.
  for (const { port } of seeds.slice(0, 3)) {
    const bus = await createBus({ backend: redisStreams({ ...impatient, port }), namespace: "any-node" });
    await bus.publish("a.b", 1);
    await bus.close();
  }
  const given = new Redis.Cluster([...seeds]);
  given.on("error", () => undefined);
  await until(() => given.status === "ready", "the client is ready");
  const backend = redisStreams({ ...impatient, client: given });
  expect(backend.name).toBe("redis-streams");
  await survives(backend, "cluster", async () => (await cluster.masterOf("{cluster}:")).kill());
  expect(given.status).toBe("ready");
  given.disconnect();
});
