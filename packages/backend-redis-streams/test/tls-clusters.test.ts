/** TLS behind Sentinels and in a Cluster: every connection is encrypted and verified, also to nodes that became known on the way. */
import { type Backend, type ClientTls, systemClock } from "@halyard/core/spi";
import { type Broker, type BrokerTls, type RedisCluster, type RedisSentinel, startRedisCluster, startRedisSentinel } from "@halyard/testkit/brokers";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type RedisStreamsOptions, redisStreams } from "../src/index.ts";
import { never, until } from "./redis-fixture.ts";
import { addressesOf, impatient, survives } from "./survives.ts";
import { watchSockets } from "./watched-sockets.ts";

const timeout = 120_000;
const host = { namespace: "tls", clientName: "client", clock: systemClock, random: Math.random, report: () => undefined };
const user = { username: "app", password: "secret" } as const;
const config = ["user app on >secret ~* &* +@all"];

const clientOf = ({ ca, clientCertificate: cert, clientKey: key }: BrokerTls): ClientTls => ({ ca, cert, key });

async function connects(backend: Backend, namespace = host.namespace): Promise<void> {
  const session = await backend.connect({ ...host, namespace }, never);
  await session.close();
}

/** Sooner than any deadline of the backend, and as something that is not tried again. */
async function refuses(backend: Backend, reason: RegExp): Promise<void> {
  const startMs = performance.now();
  const error: unknown = await backend.connect(host, never).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "TLS_FAILED", retryable: false, message: expect.stringMatching(reason) });
  expect(performance.now() - startMs).toBeLessThan(4_000);
}

/** @param backendOf - with a `commandTimeoutMs` of its default, 5 s */
async function trustsNobodyElse(backendOf: (tls: true | ClientTls) => Backend, tls: BrokerTls): Promise<void> {
  const known = clientOf(tls);
  await refuses(backendOf(true), /self-signed certificate in certificate chain/);
  await refuses(backendOf({ ...known, servername: "elsewhere.example" }), /elsewhere\.example/);
  await refuses(backendOf({ ca: tls.ca }), /certificate required/);
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  try {
    await refuses(backendOf({ cert: tls.clientCertificate, key: tls.clientKey }), /self-signed certificate in certificate chain/);
  } finally {
    vi.unstubAllEnvs();
  }
  await connects(backendOf(known));
}

/** A session has three connections: one that writes, one that waits in reads, one that listens. */
async function survivesWatched(backend: Backend, namespace: string, master: () => Promise<Broker>): Promise<void> {
  using sockets = watchSockets();
  const first = await master();
  await survives(backend, namespace, async () => {
    await first.kill();
    await master();
    await first.start(); // as a replica: where there is but one, nothing is accepted without it
  });
  const second = await master();
  expect(second.port).not.toBe(first.port);
  for (const { port } of [first, second]) expect(sockets.verified().filter((each) => each === port).length).toBeGreaterThanOrEqual(3);
  expect(sockets.unverified()).toEqual([]);
}

describe("Sentinel with mutual TLS", () => {
  let cluster: RedisSentinel;
  let tls: BrokerTls;
  beforeAll(async () => {
    cluster = await startRedisSentinel({ tls: true, mutualTls: true, minReplicasToWrite: 1, config });
    tls = cluster.tls as BrokerTls; // asked for above
  }, timeout);
  afterAll(() => cluster?.stop());

  const options = (): RedisStreamsOptions => ({ sentinels: addressesOf(cluster.sentinels), name: cluster.name, ...user });

  it("connects to those it can verify, and says at once and for good why it does not trust the others", { timeout }, () =>
    trustsNobodyElse((with_) => redisStreams({ ...options(), tls: with_ }), tls),
  );

  it("takes over what a client says that was handed in", { timeout }, async () => {
    using sockets = watchSockets();
    const { sentinels = [], name } = options();
    const secure = { tls: clientOf(tls), sentinelTLS: clientOf(tls), enableTLSForSentinelMode: true };
    const given = new Redis({ sentinels: [...sentinels], ...(name === undefined ? {} : { name }), ...user, ...secure, lazyConnect: true });
    await connects(redisStreams({ client: given }));
    expect(sockets.verified().length).toBeGreaterThanOrEqual(2);
    expect(sockets.unverified()).toEqual([]);
    given.disconnect();
  });

  it("is not held up by a sentinel that stands still, and ends for good only where all refuse", { timeout }, async () => {
    const [first] = cluster.sentinels;
    first?.pause();
    try {
      await connects(redisStreams({ ...options(), tls: clientOf(tls) }));
      const unsure = redisStreams({ ...options(), tls: true, commandTimeoutMs: 300 }).connect(host, never);
      await expect(unsure).rejects.toMatchObject({ code: "CONNECT_FAILED", message: expect.stringContaining("self-signed certificate") });
    } finally {
      first?.resume();
    }
    const unknown = redisStreams({ ...options(), name: "main", tls: clientOf(tls) }).connect(host, never);
    await expect(unknown).rejects.toMatchObject({ code: "CONNECT_FAILED", message: expect.stringContaining('no master is called "main"') });
  });

  it("loses nothing with its master, and finds the next one as safely", { timeout }, () =>
    survivesWatched(redisStreams({ ...impatient, ...options(), tls: clientOf(tls), confirm: "replicated" }), "tls-sentinel", () => cluster.master()),
  );
});

describe("Cluster with mutual TLS, whose nodes go by a name", () => {
  let cluster: RedisCluster;
  let tls: BrokerTls;
  beforeAll(async () => {
    const named = ["cluster-announce-hostname localhost", "cluster-preferred-endpoint-type hostname"];
    cluster = await startRedisCluster({ tls: true, mutualTls: true, config: [...config, ...named] });
    tls = cluster.tls as BrokerTls; // asked for above
  }, timeout);
  afterAll(() => cluster?.stop());

  it("connects to those it can verify, and says at once and for good why it does not trust the others", { timeout }, () =>
    trustsNobodyElse((with_) => redisStreams({ cluster: addressesOf(cluster.nodes), ...user, tls: with_ }), tls),
  );

  it("takes over what a client says that was handed in, also one whose nodes are replicas", { timeout }, async () => {
    using sockets = watchSockets();
    const given = new Redis.Cluster(addressesOf(cluster.nodes), { redisOptions: { ...user, tls: clientOf(tls) } });
    given.on("error", () => undefined);
    await until(() => given.status === "ready", "the client is ready");
    const replicas = given.nodes("slave");
    given.nodes = () => replicas;
    // In the slots of one master each.
    for (const namespace of ["b", "c", "a"]) await connects(redisStreams({ client: given }), namespace);
    expect(sockets.unverified()).toEqual([]);
    given.disconnect();
  });

  it("loses nothing with the master of its slot, and finds the next one as safely", { timeout }, () => {
    const backend = redisStreams({ ...impatient, cluster: addressesOf(cluster.nodes), ...user, tls: clientOf(tls), confirm: "replicated" });
    return survivesWatched(backend, "tls-cluster", () => cluster.masterOf("{tls-cluster}:"));
  });
});
