/** The control plane, as `Admin` wants it. */

import type { Clock } from "@halyard/core/spi";
import { type Admin, type GroupInfo, HalyardError } from "@halyard/core/spi";
import type { StreamInfo } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { activePatterns, consumersOf, durableOf, type GroupRecord, isExact } from "./group-record.ts";
import type { GroupStore } from "./group-store.ts";
import { abortable, type JetStreamApi } from "./jetstream-api.ts";
import { inboxDurable, type Topology, waitSubject } from "./names.ts";
import { PullSource } from "./pull-source.ts";
import type { RoundTrips } from "./round-trips.ts";

/** Messages taken at once while a group is purged. */
const purgeBite = 256;
const purgeMsMax = 8_000;

export interface AdminParts {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly roundTrips: RoundTrips;
  readonly api: JetStreamApi;
  readonly topology: Topology;
  readonly groups: GroupStore;
  readonly inboxPrefix: string;
  readonly apiPrefix: string;
  /** Topics stay in the stream after they were handled. */
  readonly keepsTopics: boolean;
  ping(): Promise<void>;
  warnings(): Promise<readonly string[]>;
  /** Called after a group was changed or removed by this session, so that its own members know at once. */
  changed(group: string): Promise<void>;
}

export function adminOf(parts: AdminParts): Admin {
  const { api, topology, groups } = parts;

  async function infoOf(name: string, record: GroupRecord): Promise<GroupInfo> {
    const [inbox, waits, ...sources] = await Promise.all([
      api.consumerInfo(topology.inbox, inboxDurable(name)),
      api.streamInfo(topology.inbox, waitSubject(topology, "*", name)),
      ...record.sources.map((source) => api.consumerInfo(topology.stream, durableOf(name, source))),
    ]);
    const all = [inbox, ...sources];
    // A consumer that is missing is made again by the next member; what it would say nobody knows.
    const sum = (of: (info: NonNullable<typeof inbox>) => number): number | undefined =>
      all.some((info) => info === undefined) ? undefined : all.reduce((total, info) => total + (info === undefined ? 0 : of(info)), 0);
    return {
      name,
      patterns: activePatterns(record),
      waiting: isExact(record) ? sum((info) => info.num_pending) : undefined,
      delayed: countOf(waits),
      inFlight: sum((info) => info.num_ack_pending),
      members: undefined, // a server counts requests that wait, not who sent them
    };
  }

  async function group(name: string): Promise<GroupInfo | undefined> {
    const record = await groups.find(name);
    return record === undefined ? undefined : infoOf(name, record);
  }

  async function all(): Promise<readonly GroupInfo[]> {
    const infos = await Promise.all((await groups.names()).map(group));
    return infos.filter((info) => info !== undefined);
  }

  async function purge(name: string): Promise<number> {
    const record = await groups.find(name);
    if (record === undefined) return 0;
    let sum = 0;
    for (const { stream, durable } of consumersOf(topology, name, record)) sum += await drainConsumer(parts, stream, durable);
    return sum;
  }

  return {
    ping: (signal) => abortable(signal, "The ping", parts.ping()),
    warnings: (signal) => abortable(signal, "Looking for warnings", parts.warnings()),
    async defineGroup(name, change, signal) {
      await abortable(signal, `Defining group ${name}`, groups.define(name, change, "new"));
      await parts.changed(name);
    },
    async removeGroup(name, signal) {
      await abortable(signal, `Removing group ${name}`, groups.remove(name));
      await parts.changed(name);
    },
    purgeGroup: (name, signal) => abortable(signal, `Purging group ${name}`, purge(name)),
    group: (name, signal) => abortable(signal, `Looking at group ${name}`, group(name)),
    groups: (signal) => abortable(signal, "Listing groups", all()),
    topics: (signal) => abortable(signal, "Listing topics", topicsOf(parts)),
  };
}

function countOf(info: StreamInfo | undefined): number {
  return Object.values(info?.state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
}

/** Where what was handled is removed, a topic is forgotten with all it carried: then nobody knows. */
async function topicsOf({ api, topology, keepsTopics }: AdminParts): Promise<readonly { readonly topic: string; readonly stored: number }[] | undefined> {
  if (!keepsTopics) return undefined;
  const info = await api.streamInfo(topology.stream, `${topology.topicPrefix}>`);
  return Object.entries(info?.state.subjects ?? {}).map(([subject, stored]) => ({ topic: subject.slice(topology.topicPrefix.length), stored }));
}

/**
 * Takes what waits for a consumer and acks it: the stream is shared by all groups, so nothing can be purged from it for one of them. What is in flight or
 * delayed stays. Returns how many there were.
 */
async function drainConsumer({ connection, clock, roundTrips, inboxPrefix, apiPrefix }: AdminParts, stream: string, durable: string): Promise<number> {
  let sum = 0;
  let cancelTimer: () => void = () => undefined;
  const parts = { connection, clock, roundTrips, inboxPrefix, apiPrefix, stream, durable };
  let source: PullSource | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      cancelTimer = clock.after(purgeMsMax, () =>
        reject(new HalyardError("TIMEOUT", `Purging took longer than ${purgeMsMax} ms; ${sum} messages are removed.`)),
      );
      let inBite = 0;
      const draining = new PullSource({
        ...parts,
        onMessage: (message) => {
          connection.publish(message.reply ?? "");
          sum++;
          if (++inBite < purgeBite) return;
          inBite = 0;
          draining.pull(purgeBite, { noWait: true });
        },
        onEmpty: () => resolve(),
        onGone: () => resolve(), // nothing waits for a consumer that is not there
      });
      source = draining;
      draining.pull(purgeBite, { noWait: true });
    });
    await roundTrips.flush();
    return sum;
  } finally {
    cancelTimer();
    await source?.cancel();
  }
}
