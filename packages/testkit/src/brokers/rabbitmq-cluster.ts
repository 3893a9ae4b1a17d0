/** Three RabbitMQ nodes that replicate their quorum queues. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HalyardError } from "@halyard/core/spi";
import { type BrokerCluster, startTogether, stopAll } from "./cluster.ts";
import { startEpmd } from "./epmd.ts";
import { startFront } from "./front.ts";
import { newAdministrator, nodeHost, type RabbitmqBroker, type RabbitmqBrokerOptions, startNode } from "./rabbitmq.ts";
import { askManagement } from "./rabbitmq-control.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { wait } from "./wait.ts";
import { startWatchdog } from "./watchdog.ts";

export interface RabbitmqCluster extends BrokerCluster<RabbitmqBroker> {
  /** Of an address before all nodes, which leads to one that is up. */
  readonly url: string;
  /** The node that leads this quorum queue now. Waits for an election, at most 30 s. */
  queueLeader(queue: string, vhost?: string): Promise<RabbitmqBroker>;
}

const nodeCount = 3;
const electionMsMax = 30_000;

/** Takes about 15 s: the second and third node start when the first is there, and join it. */
export async function startRabbitmqCluster(options: RabbitmqBrokerOptions = {}): Promise<RabbitmqCluster> {
  const home = await temporaryDirectory("rabbitmq-cluster");
  const watchdog = startWatchdog(home);
  await writeFile(join(home, ".erlang.cookie"), randomBytes(16).toString("hex"), { mode: 0o400 });
  const epmd = await startEpmd(home);
  watchdog.watch(epmd.process.pid);
  const names = Array.from({ length: nodeCount }, (_, index) => `halyard-${index + 1}-${epmd.port}@${nodeHost}`);
  const discovery = names.map((name, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}`);
  const config = ["cluster_formation.peer_discovery_backend = classic_config", ...discovery, ...(options.config ?? [])];
  const shared = { home, epmd, ...newAdministrator() };
  const start = (nodeName: string): Promise<RabbitmqBroker> => startNode({ ...options, config }, { nodeName, ...shared });
  const endFamily = async (): Promise<void> => {
    await epmd.process.end("SIGKILL");
    await watchdog.stop();
  };
  const nodes: RabbitmqBroker[] = [];
  try {
    const [first = "", ...others] = names;
    nodes.push(await start(first));
    nodes.push(...(await startTogether(others.map(start))));
    for (const user of options.users ?? []) await nodes[0]?.createUser(user);
  } catch (error) {
    await stopAll(nodes);
    await endFamily();
    throw error;
  }
  const front = await startFront(nodes.map(({ port }) => port));
  const stop = async (): Promise<void> => {
    await front.close();
    await stopAll(nodes);
    await endFamily();
  };
  const url = `amqp://${shared.user}:${shared.password}@127.0.0.1:${front.port}`;
  return { nodes, url, queueLeader: (queue, vhost = "/") => queueLeader(nodes, queue, vhost), stop, [Symbol.asyncDispose]: stop };
}

async function queueLeader(nodes: readonly RabbitmqBroker[], queue: string, vhost: string): Promise<RabbitmqBroker> {
  const path = `queues/${encodeURIComponent(vhost)}/${encodeURIComponent(queue)}`;
  const deadlineMs = performance.now() + electionMsMax;
  while (performance.now() < deadlineMs) {
    for (const asked of nodes) {
      if (asked.pid === 0) continue;
      // A node that is just starting or stopping answers nothing, and another one is asked.
      const answer = (await askManagement(asked, "GET", path).catch(() => undefined)) as { readonly leader?: string } | undefined;
      const leader = nodes.find(({ nodeName, pid }) => nodeName === answer?.leader && pid !== 0);
      if (leader !== undefined) return leader;
    }
    await wait(100);
  }
  throw new HalyardError("TIMEOUT", `No node leads the queue ${queue}: is it there, and are two of three nodes up?`);
}
