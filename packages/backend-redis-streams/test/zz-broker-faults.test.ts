import { describeBrokerFaults } from "@halyard/testkit";
import { startRedis } from "@halyard/testkit/brokers";
import { Redis } from "ioredis";
import { redisStreams } from "../src/index.ts";

const withClient = async (url: string, run: (redis: Redis) => Promise<unknown>) => {
  const redis = new Redis(url);
  await run(redis).finally(() => redis.disconnect());
};
describeBrokerFaults("redis-streams", {
  start: () => startRedis({ isOwned: true }),
  create: ({ broker }) => redisStreams({ url: broker.url, leaseMs: 4_000, commandTimeoutMs: 1_500, blockMs: 1_000 }),
  processes: { module: new URL("./zz-backend.mjs", import.meta.url) },
  pressure: {
    begin: ({ broker }) => withClient(broker.url, (redis) => redis.config("SET", "maxmemory", "1")),
    end: ({ broker }) => withClient(broker.url, (redis) => redis.config("SET", "maxmemory", "0")),
  },
  destroyGroup: ({ namespace, broker }, group) =>
    withClient(broker.url, async (redis) => {
      const keys = await redis.keys(`*group:${group}`);
      await redis.del(...keys);
    }),
});
