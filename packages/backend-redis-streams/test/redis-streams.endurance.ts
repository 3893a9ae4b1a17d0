/** `npm run test:endurance -- redis`: minutes of kills, lost replies and failovers. */
import { describeEndurance } from "@halyard/testkit";
import { startRedis, startRedisCluster, startRedisSentinel } from "@halyard/testkit/brokers";
import { type RedisStreamsOptions, redisStreams } from "../src/index.ts";

const impatient: RedisStreamsOptions = { leaseMs: 4_000, commandTimeoutMs: 1_500, blockMs: 1_000 };
/** Without it a master confirms what no replica has, and a failover loses that. */
const replicated: RedisStreamsOptions = { ...impatient, confirm: "replicated" };
const addressesOf = (nodes: readonly { readonly host: string; readonly port: number }[]) => nodes.map(({ host, port }) => ({ host, port }));

describeEndurance("redis-streams", {
  start: () => startRedis({ isOwned: true }),
  create: ({ broker: { url } }) => redisStreams({ url, ...impatient }),
  processes: { module: new URL("./backend-module.mjs", import.meta.url) },
  alsoReported: { name: "appendfsync everysec", start: () => startRedis({ appendfsync: "everysec" }) },
  clusters: [
    {
      name: "Redis Sentinel",
      async start() {
        const sentinel = await startRedisSentinel({ minReplicasToWrite: 1 });
        return {
          create: () => redisStreams({ sentinels: addressesOf(sentinel.sentinels), name: sentinel.name, ...replicated }),
          async killLeader() {
            const master = await sentinel.master();
            await master.kill();
            return () => master.start();
          },
          version: (await sentinel.master()).version,
          stop: sentinel.stop,
        };
      },
    },
    {
      name: "Redis Cluster",
      async start() {
        const cluster = await startRedisCluster({ minReplicasToWrite: 1 });
        return {
          create: () => redisStreams({ cluster: addressesOf(cluster.nodes), ...replicated }),
          async killLeader(namespace) {
            const master = await cluster.masterOf(`{${namespace}}`);
            await master.kill();
            // One of two copies is left: with a replica asked for, it takes no publish until the old master is back as its replica.
            await cluster.masterOf(`{${namespace}}`);
            await master.start();
            return async () => undefined;
          },
          version: cluster.nodes[0]?.version ?? "unknown",
          stop: cluster.stop,
        };
      },
    },
  ],
});
