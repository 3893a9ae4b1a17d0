/** The kit's broker-fault suite, proven on the broker that starts fastest: backends that are broken must be caught. */
import { proveBrokerFaults } from "@halyard/testkit";
import { startRedis } from "@halyard/testkit/brokers";
import { redisStreams } from "../src/index.ts";
import { asOperator } from "./operator.ts";

proveBrokerFaults({
  start: () => startRedis({ isOwned: true }),
  create: ({ broker: { url } }) => redisStreams({ url, leaseMs: 4_000, commandTimeoutMs: 1_500, blockMs: 1_000 }),
  processes: { module: new URL("./backend-module.mjs", import.meta.url) },
  pressure: {
    begin: ({ broker }) => asOperator(broker, (redis) => redis.config("SET", "maxmemory", "1")),
    end: ({ broker }) => asOperator(broker, (redis) => redis.config("SET", "maxmemory", "0")),
  },
  destroyGroup: ({ namespace, broker }, group) => asOperator(broker, (redis) => redis.del(`{${namespace}}:group:${group}`)),
});
