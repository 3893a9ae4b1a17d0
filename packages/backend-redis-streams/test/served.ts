/**
 * A Redis of its own for one suite, with a user that may do no more than the README's rule says, and leases short enough to wait for. Where
 * `HALYARD_TEST_REDIS_URL` names one that runs already, such a user is made there for the time of the suite; where that cannot be done the suite runs as
 * the user of the URL.
 */
import { randomBytes } from "node:crypto";
import type { BackendSuiteOptions, FaultProxy } from "@halyard/testkit";
import { type Broker, findBroker, startRedis } from "@halyard/testkit/brokers";
import { type RedisStreamsOptions, redisStreams } from "../src/index.ts";
import { leastPrivileges } from "./least-privileges.ts";
import { asOperator } from "./operator.ts";

/** A name and a password that nobody else knows: the server may not be ours. */
const username = `halyard-${randomBytes(4).toString("hex")}`;
const password = `conformance-password-${randomBytes(8).toString("hex")}`;

export interface Served {
  readonly options: BackendSuiteOptions;
  /** The broker, once the suite has begun. */
  broker(): Broker;
}

export function served(more: Partial<RedisStreamsOptions> = {}): Served {
  let started: Broker | undefined;
  let account: { readonly username?: string; readonly password?: string } = { username, password };
  const found = findBroker("redis");
  const given = found !== undefined && "url" in found ? found.url : undefined;
  const broker = (): Broker => {
    if (started === undefined) throw new Error("Redis has not been started");
    return started;
  };
  const place = (proxy: FaultProxy | undefined) =>
    proxy === undefined ? { host: broker().host, port: broker().port } : { host: "127.0.0.1", port: proxy.port };
  const client = (proxy: FaultProxy | undefined, own: { readonly password?: string } = {}) =>
    redisStreams({ ...place(proxy), ...account, ...own, leaseMs: 2_000, commandTimeoutMs: 1_500, blockMs: 1_000, keyPrefix: "kit:", ...more });
  return {
    broker,
    options: {
      create: ({ proxy }) => client(proxy),
      wrongCredentials: ({ proxy }) => client(proxy, { password: "not-the-password" }),
      secrets: [
        password,
        "not-the-password",
        ...(given === undefined ? [] : [decodeURIComponent(new URL(given).password)].filter((secret) => secret.length > 5)),
      ],
      ...(given === undefined ? { restartBroker: () => broker().restart() } : {}),
      destroyGroup: ({ namespace }, group) => asOperator(broker(), (redis) => redis.del(`kit:{${namespace}}:group:${group}`)),
      sweep: ({ namespace }) =>
        asOperator(broker(), async (redis) => {
          const keys = await redis.keys(`kit:{${namespace}}:*`);
          if (keys.length > 0) await redis.unlink(...keys);
        }),
      setup: async () => {
        if (given === undefined) started = await startRedis({ users: [`${username} on >${password} ${leastPrivileges("kit:")}`] });
        else {
          started = await startRedis();
          account = await accountOn(started);
        }
      },
      teardown: async () => {
        if (started?.isOwned === false && account.username === username) await asOperator(started, (redis) => redis.acl("DELUSER", username));
        await started?.stop();
      },
    },
  };
}

/** Who the suite is on a server that ran before. */
async function accountOn(broker: Broker): Promise<{ readonly username?: string; readonly password?: string }> {
  try {
    await asOperator(broker, (redis) => redis.acl("SETUSER", username, "on", `>${password}`, ...leastPrivileges("kit:").split(" ")));
    return { username, password };
  } catch (error) {
    console.warn(`\n!!! The suite runs as the user of HALYARD_TEST_REDIS_URL, not as one with least privileges: ${String(error)}\n`);
    const { username: name, password: secret } = new URL(broker.url);
    return { ...(name === "" ? {} : { username: decodeURIComponent(name) }), ...(secret === "" ? {} : { password: decodeURIComponent(secret) }) };
  }
}
