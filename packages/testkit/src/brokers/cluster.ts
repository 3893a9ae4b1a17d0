/** Several brokers that belong together. */
import type { Broker } from "./broker.ts";

export interface BrokerCluster<Node extends Broker = Broker> {
  readonly nodes: readonly Node[];
  /** All nodes are gone and their data deleted. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Nodes that start at once, because some only answer when they have found the others. Where one does not start, none is left. */
export async function startTogether<Node extends Broker>(starts: readonly Promise<Node>[]): Promise<readonly Node[]> {
  const results = await Promise.allSettled(starts);
  const nodes = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return nodes;
  await Promise.all(nodes.map((node) => node.stop()));
  throw failed.reason;
}

export const stopAll = async (nodes: readonly Broker[]): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())));
