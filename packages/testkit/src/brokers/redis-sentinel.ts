/** A Redis master, its replicas, and three sentinels that replace it when it is gone. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HalyardError } from "@halyard/core/spi";
import { type Broker, type BrokerPlan, type BrokerTls, startBroker } from "./broker.ts";
import { makeSharedCertificates, placeCertificates, type SharedCertificates } from "./certificates.ts";
import { type BrokerCluster, startTogether, stopAll } from "./cluster.ts";
import { requireProgram } from "./find-broker.ts";
import { freePort } from "./free-port.ts";
import { askRedis, probeRedis } from "./probe-redis.ts";
import { listenLines, startRedisNode } from "./redis.ts";
import { wait } from "./wait.ts";

export interface RedisSentinelOptions {
  /** Default 2. */
  readonly replicas?: number;
  /** `min-replicas-to-write`: the master refuses writes with fewer replicas that keep up. Default 0, as in Redis itself: a failover then may lose writes. */
  readonly minReplicasToWrite?: number;
  /** After this silence a sentinel takes the master for dead, milliseconds. Default 1,000. */
  readonly downAfterMs?: number;
  /** All speak TLS only, with clients and with each other, under one authority made for them. Needs `openssl`. */
  readonly tls?: boolean;
  /** They also ask clients for a certificate. Only with `tls`. */
  readonly mutualTls?: boolean;
  /** Lines of redis.conf for master and replicas. */
  readonly config?: readonly string[];
}

export interface RedisSentinel extends BrokerCluster {
  /** What clients ask for the master by. */
  readonly name: string;
  readonly sentinels: readonly Broker[];
  /** Present where it was started with `tls`: the same for sentinels and nodes. */
  readonly tls?: BrokerTls;
  /** The node that the sentinels take for the master now. Waits until they agree on one that is alive, at most 30 s. */
  master(): Promise<Broker>;
}

const masterName = "halyard";
const sentinelCount = 3;
const quorum = 2;
const agreeMsMax = 30_000;

export async function startRedisSentinel(options: RedisSentinelOptions = {}): Promise<RedisSentinel> {
  const { replicas = 2, minReplicasToWrite = 0, mutualTls = false, config = [] } = options;
  const program = requireProgram("redis");
  const certificates = options.tls === true ? await makeSharedCertificates() : undefined;
  const shared = [
    ...(certificates === undefined ? [] : ["tls-replication yes"]),
    "repl-diskless-sync-delay 0",
    "repl-ping-replica-period 1",
    `min-replicas-to-write ${minReplicasToWrite}`,
    "min-replicas-max-lag 2",
    ...config,
  ];
  const brokers: Broker[] = [];
  const stop = (): Promise<void> => stopAll(brokers);
  try {
    const first = await startRedisNode({ mutualTls, config: shared }, certificates);
    brokers.push(first);
    const replica = (): Promise<Broker> => startRedisNode({ mutualTls, config: [...shared, `replicaof 127.0.0.1 ${first.port}`] }, certificates);
    const others = await startTogether(Array.from({ length: replicas }, replica));
    brokers.push(...others);
    const nodes = [first, ...others];
    const parts = { program, masterPort: first.port, certificates, options };
    const sentinel = (): Promise<Broker> => startBroker("redis", (directory) => planSentinel(directory, parts));
    const sentinels = await startTogether(Array.from({ length: sentinelCount }, sentinel));
    brokers.push(...sentinels);
    await untilAllKnown(sentinels, replicas);
    const tls = first.tls === undefined ? {} : { tls: first.tls };
    return { name: masterName, nodes, sentinels, ...tls, master: () => masterOf(nodes, sentinels), stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface SentinelParts {
  readonly program: string;
  readonly masterPort: number;
  readonly certificates: SharedCertificates | undefined;
  readonly options: RedisSentinelOptions;
}

async function planSentinel(directory: string, { program, masterPort, certificates: shared, options }: SentinelParts): Promise<BrokerPlan> {
  const port = await freePort();
  const file = join(directory, "sentinel.conf"); // it rewrites this file itself
  const tls = shared === undefined ? undefined : await placeCertificates(directory, shared);
  const lines = [
    ...listenLines(port, tls, options.mutualTls === true),
    ...(tls === undefined ? [] : ["tls-replication yes"]), // with this it speaks TLS to the nodes and the other sentinels
    `dir "${directory}"`,
    `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} ${quorum}`,
    `sentinel down-after-milliseconds ${masterName} ${options.downAfterMs ?? 1_000}`,
    `sentinel failover-timeout ${masterName} 5000`,
    "",
  ];
  await writeFile(file, lines.join("\n"));
  return {
    name: "redis-server --sentinel",
    url: `${tls === undefined ? "redis" : "rediss"}://127.0.0.1:${port}`,
    port,
    directory,
    program,
    args: [file, "--sentinel"],
    ...(tls === undefined ? {} : { tls }),
    probe: () => probeRedis({ port, tls }),
    stopMsMax: 5_000,
    readyMsMax: 20_000,
  };
}

interface View {
  readonly port: number;
  readonly replicas: number;
  readonly sentinels: number;
}

async function viewOf(sentinel: Broker): Promise<View | undefined> {
  const info = await askRedis(sentinel, ["INFO", "sentinel"]);
  const found = new RegExp(`name=${masterName},status=\\w+,address=[^:]+:(\\d+),slaves=(\\d+),sentinels=(\\d+)`).exec(info);
  return found === null ? undefined : { port: Number(found[1]), replicas: Number(found[2]), sentinels: Number(found[3]) };
}

async function until<Value>(find: () => Promise<Value | undefined>, what: string): Promise<Value> {
  const deadlineMs = performance.now() + agreeMsMax;
  while (performance.now() < deadlineMs) {
    const value = await find().catch(() => undefined); // whoever is down is asked again
    if (value !== undefined) return value;
    await wait(50);
  }
  throw new HalyardError("TIMEOUT", `${what} within ${agreeMsMax} ms.`);
}

async function untilAllKnown(sentinels: readonly Broker[], replicas: number): Promise<void> {
  const knowAll = async (): Promise<true | undefined> => {
    const views = await Promise.all(sentinels.map(viewOf));
    return views.every((view) => view?.replicas === replicas && view.sentinels === sentinelCount) ? true : undefined;
  };
  await until(knowAll, "The sentinels did not find the replicas and each other");
}

function masterOf(nodes: readonly Broker[], sentinels: readonly Broker[]): Promise<Broker> {
  const agreed = async (): Promise<Broker | undefined> => {
    const views = await Promise.all(sentinels.filter(({ pid }) => pid !== 0).map(viewOf));
    const [first] = views;
    const node = nodes.find(({ port, pid }) => port === first?.port && pid !== 0);
    if (node === undefined || !views.every((view) => view?.port === first?.port)) return undefined;
    const replication = await askRedis(node, ["INFO", "replication"]);
    return replication.includes("role:master") ? node : undefined;
  };
  return until(agreed, "The sentinels did not agree on a master");
}
