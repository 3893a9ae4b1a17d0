/** The node that leads what a group lives in is killed, and another one takes over. */
import type { Backend } from "@halyard/core/spi";
import type { BrokerCase } from "../conformance/broker-faults/broker-case.ts";
import { underLoad } from "../conformance/broker-faults/cases/restarts.ts";
import { pause } from "../conformance/recorder.ts";

/** A running cluster, as one backend sees it. */
export interface RunningCluster {
  create(namespace: string): Backend | Promise<Backend>;
  /** Kills the node that leads what this group needs. Resolves with what starts it again. */
  killLeader(namespace: string, group: string): Promise<() => Promise<void>>;
  /** Versions and the like, for the report. */
  readonly version: string;
  stop(): Promise<void>;
}

export interface ClusterUnderTest {
  /** E.g. "three NATS servers". */
  readonly name: string;
  start(): Promise<RunningCluster>;
  /** Why a loss is reported and does not fail the run, for a cluster that promises less. */
  readonly reportedBecause?: string;
}

const failovers = 3;
/** For the node that comes back to catch up; a second failover before that is another story. */
const catchUpMs = 5_000;
const load = { perWave: 10, everyMs: 25 };

export function failoverCase(name: string, running: () => RunningCluster): BrokerCase {
  return {
    promise: 18,
    title: `${failovers} failovers of ${name} under load lose nothing`,
    run: (world) =>
      underLoad(
        world,
        async (assertFlows) => {
          await world.settle();
          for (let failover = 0; failover < failovers; failover++) {
            const bringBack = await world.strike(() => running().killLeader(world.namespace, "g"));
            await assertFlows();
            await bringBack();
            await pause(catchUpMs);
            await assertFlows();
          }
        },
        load,
      ),
  };
}
