/** A Redis of its own for one suite, with a user that may do no more than the README's rule says, and leases short enough to wait for. */
import type { BackendSuiteOptions } from "@halyard/testkit";
import { type Broker, startRedis } from "@halyard/testkit/brokers";
import { type RedisStreamsOptions, redisStreams } from "../src/index.ts";
import { leastPrivileges } from "./least-privileges.ts";
import { asOperator } from "./operator.ts";

const password = "conformance-password-5f2c";
const username = "halyard";

export interface Served {
  readonly options: BackendSuiteOptions;
  /** The broker, once the suite has begun. */
  broker(): Broker;
}

export function served(more: Partial<RedisStreamsOptions> = {}): Served {
  let started: Broker | undefined;
  const broker = (): Broker => {
    if (started === undefined) throw new Error("Redis has not been started");
    return started;
  };
  const client = (port: number, secret: string) =>
    redisStreams({ host: "127.0.0.1", port, username, password: secret, leaseMs: 2_000, commandTimeoutMs: 1_500, blockMs: 1_000, keyPrefix: "kit:", ...more });
  return {
    broker,
    options: {
      create: ({ proxy }) => client(proxy?.port ?? broker().port, password),
      wrongCredentials: ({ proxy }) => client(proxy?.port ?? broker().port, "not-the-password"),
      secrets: [password, "not-the-password"],
      restartBroker: () => broker().restart(),
      destroyGroup: ({ namespace }, group) => asOperator(broker(), (redis) => redis.del(`kit:{${namespace}}:group:${group}`)),
      sweep: ({ namespace }) =>
        asOperator(broker(), async (redis) => {
          const keys = await redis.keys(`kit:{${namespace}}:*`);
          if (keys.length > 0) await redis.unlink(...keys);
        }),
      setup: async () => {
        started = await startRedis({ users: [`${username} on >${password} ${leastPrivileges("kit:")}`] });
      },
      teardown: async () => started?.stop(),
    },
  };
}
