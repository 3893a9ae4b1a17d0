/** A Redis Cluster of six: three masters with a third of the slots each, and a replica of each. */
import { HalyardError } from "@halyard/core/spi";
import type { Broker, BrokerTls } from "./broker.ts";
import { makeSharedCertificates } from "./certificates.ts";
import { type BrokerCluster, startTogether, stopAll } from "./cluster.ts";
import { freePort } from "./free-port.ts";
import { askRedis } from "./probe-redis.ts";
import { startRedisNode } from "./redis.ts";
import { wait } from "./wait.ts";

export interface RedisClusterOptions {
  /** After this silence the others take a master for dead, milliseconds. Default 1,500. */
  readonly nodeTimeoutMs?: number;
  /** `min-replicas-to-write` of each master. Default 0, as in Redis itself: a failover then may lose writes. */
  readonly minReplicasToWrite?: number;
  /** All speak TLS only, with clients and with each other, under one authority made for them. Needs `openssl`. */
  readonly tls?: boolean;
  /** They also ask clients for a certificate. Only with `tls`. */
  readonly mutualTls?: boolean;
  /** Lines of redis.conf for all nodes. */
  readonly config?: readonly string[];
}

export interface RedisCluster extends BrokerCluster {
  /** Present where it was started with `tls`: the same for all nodes. */
  readonly tls?: BrokerTls;
  /** The master that holds this key now. Waits for a failover, at most 30 s. */
  masterOf(key: string): Promise<Broker>;
}

const masterCount = 3;
const slotCount = 16_384;
const agreeMsMax = 30_000;

export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { nodeTimeoutMs = 1_500, minReplicasToWrite = 0, mutualTls = false, config = [] } = options;
  const certificates = options.tls === true ? await makeSharedCertificates() : undefined;
  const busPorts = new Map<Broker, number>();
  const start = async (): Promise<Broker> => {
    const busPort = await freePort();
    const lines = [
      "cluster-enabled yes",
      ...(certificates === undefined ? [] : ["tls-cluster yes", "tls-replication yes"]),
      `cluster-port ${busPort}`,
      `cluster-node-timeout ${nodeTimeoutMs}`,
      "repl-diskless-sync-delay 0",
      "repl-ping-replica-period 1",
      `min-replicas-to-write ${minReplicasToWrite}`,
      "min-replicas-max-lag 2",
      ...config,
    ];
    const broker = await startRedisNode({ mutualTls, config: lines }, certificates);
    busPorts.set(broker, busPort);
    return broker;
  };
  const nodes = await startTogether(Array.from({ length: 2 * masterCount }, start));
  const stop = (): Promise<void> => stopAll(nodes);
  try {
    await join(nodes, busPorts);
  } catch (error) {
    await stop();
    throw error;
  }
  const tls = nodes[0]?.tls === undefined ? {} : { tls: nodes[0].tls };
  return { nodes, ...tls, masterOf: (key) => masterOf(nodes, key), stop, [Symbol.asyncDispose]: stop };
}

const ask = (broker: Broker, ...command: readonly string[]): Promise<string> => askRedis(broker, command);

/** What `redis-cli --cluster create` does, which is not installed everywhere. */
async function join(nodes: readonly Broker[], busPorts: ReadonlyMap<Broker, number>): Promise<void> {
  const [first, ...others] = nodes;
  if (first === undefined) throw new Error("a cluster has nodes");
  for (const other of others) await ask(other, "CLUSTER", "MEET", "127.0.0.1", String(first.port), String(busPorts.get(first)));
  const masters = nodes.slice(0, masterCount);
  for (const [index, master] of masters.entries()) {
    const from = Math.floor((index * slotCount) / masterCount);
    const to = Math.floor(((index + 1) * slotCount) / masterCount) - 1;
    await ask(master, "CLUSTER", "ADDSLOTSRANGE", String(from), String(to));
  }
  const ids = await Promise.all(masters.map((master) => ask(master, "CLUSTER", "MYID")));
  for (const [index, replica] of nodes.slice(masterCount).entries()) {
    const id = ids[index] ?? "";
    await until(async () => (await ask(replica, "CLUSTER", "NODES")).includes(id), "A node did not hear of its master");
    await ask(replica, "CLUSTER", "REPLICATE", id);
  }
  await until(async () => {
    const states = await Promise.all(nodes.map((node) => ask(node, "CLUSTER", "INFO")));
    const links = await Promise.all(nodes.slice(masterCount).map((node) => ask(node, "INFO", "replication")));
    return states.every((state) => state.includes("cluster_state:ok")) && links.every((link) => link.includes("master_link_status:up"));
  }, "The cluster did not form");
}

async function masterOf(nodes: readonly Broker[], key: string): Promise<Broker> {
  let found: Broker | undefined;
  const look = async (): Promise<boolean> => {
    for (const asked of nodes.filter(({ pid }) => pid !== 0)) {
      const slot = Number(await ask(asked, "CLUSTER", "KEYSLOT", key));
      const port = portOfMaster(await ask(asked, "CLUSTER", "NODES"), slot);
      found = nodes.find((node) => node.port === port && node.pid !== 0);
      if (found !== undefined) return true;
    }
    return false;
  };
  await until(look, `No master holds the key ${key}`);
  if (found === undefined) throw new Error("it was found");
  return found;
}

/** Lines of CLUSTER NODES: `<id> <host:port@bus> <flags> <master> <ping> <pong> <epoch> <link> <slots>…` */
function portOfMaster(text: string, slot: number): number | undefined {
  for (const line of text.split("\n")) {
    const [, address = "", flags = "", , , , , , ...ranges] = line.split(" ");
    if (!flags.includes("master") || flags.includes("fail")) continue;
    const holds = ranges.some((range) => {
      const [from = Number.NaN, to = from] = range.split("-").map(Number);
      return from <= slot && slot <= to;
    });
    if (holds) return Number(/:(\d+)@/.exec(address)?.[1]);
  }
  return undefined;
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + agreeMsMax;
  while (performance.now() < deadlineMs) {
    if (await condition().catch(() => false)) return; // whoever is down is asked again
    await wait(50);
  }
  throw new HalyardError("TIMEOUT", `${what} within ${agreeMsMax} ms.`);
}
