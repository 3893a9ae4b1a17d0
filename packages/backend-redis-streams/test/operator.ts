/** What somebody does to Redis beside Halyard, with all rights. */
import type { Broker } from "@halyard/testkit/brokers";
import { Redis } from "ioredis";

export async function asOperator(broker: Pick<Broker, "url" | "tls">, run: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(broker.url, { ...(broker.tls === undefined ? {} : { tls: { ca: broker.tls.ca } }), protocol: 2, replyMapping: "legacy" });
  await run(redis).finally(() => redis.disconnect());
}
