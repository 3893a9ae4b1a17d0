/** Three NATS servers that replicate their streams. */
import { HalyardError } from "@halyard/core/spi";
import { type Broker, startBroker } from "./broker.ts";
import { type BrokerCluster, startTogether, stopAll } from "./cluster.ts";
import { requireProgram } from "./find-broker.ts";
import { freePort } from "./free-port.ts";
import { type NatsBrokerOptions, planNats } from "./nats.ts";
import { wait } from "./wait.ts";

export interface NatsNode extends Broker {
  /** As the server is called in the cluster. */
  readonly name: string;
}

export interface NatsCluster extends BrokerCluster<NatsNode> {
  /** The node that leads this stream now. Waits for an election, at most 30 s. */
  streamLeader(stream: string): Promise<NatsNode>;
}

const nodeCount = 3;
const electionMsMax = 30_000;

export async function startNatsCluster(options: NatsBrokerOptions = {}): Promise<NatsCluster> {
  const program = requireProgram("nats");
  const members: { readonly name: string; readonly client: number; readonly monitor: number; readonly route: number }[] = [];
  for (let index = 1; index <= nodeCount; index++)
    members.push({ name: `halyard-${index}`, client: await freePort(), monitor: await freePort(), route: await freePort() });
  const routes = members.map(({ route }) => `nats://127.0.0.1:${route}`);
  const starts = members.map(async ({ name, route, ...ports }): Promise<NatsNode> => {
    const cluster = { name: "halyard", host: "127.0.0.1", port: route, routes };
    const config = `${options.config ?? ""}\nserver_name: ${name}\ncluster: ${JSON.stringify(cluster)}`;
    const broker = await startBroker("nats", (directory) => planNats({ program, directory, options: { ...options, config }, ports }), 1);
    return Object.assign(broker, { name });
  });
  const nodes = await startTogether(starts);
  const stop = (): Promise<void> => stopAll(nodes);
  return {
    nodes,
    async streamLeader(stream) {
      const deadlineMs = performance.now() + electionMsMax;
      while (performance.now() < deadlineMs) {
        for (const { monitor } of members) {
          const leader = await leaderAccordingTo(monitor, stream).catch(() => undefined); // a node that is down is asked for nothing
          const node = nodes.find(({ name, pid }) => name === leader && pid !== 0);
          if (node !== undefined) return node;
        }
        await wait(50);
      }
      throw new HalyardError("TIMEOUT", `No node leads the stream ${stream}: is it there, and are two of three nodes up?`);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface StreamsInfo {
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly name: string; readonly cluster?: { readonly leader?: string } }[];
  }[];
}

async function leaderAccordingTo(monitorPort: number, stream: string): Promise<string | undefined> {
  const response = await fetch(`http://127.0.0.1:${monitorPort}/jsz?streams=true`, { signal: AbortSignal.timeout(2_000) });
  const { account_details: accounts = [] } = (await response.json()) as StreamsInfo; // as the server documents it
  return accounts.flatMap(({ stream_detail: streams = [] }) => streams).find(({ name }) => name === stream)?.cluster?.leader;
}
