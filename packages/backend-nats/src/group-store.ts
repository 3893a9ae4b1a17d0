/**
 * Definitions of groups on the server, and the consumers that go with them. The record comes first, consumers after: whoever finds a record without its
 * consumers makes them. A record is replaced only by who has seen the one before (expected sequence), so two members that subscribe at once agree.
 */
import { HalyardError, isHalyardError, type TopicPattern } from "@halyard/core/spi";
import { AckPolicy, type ConsumerConfig, type ConsumerInfo, DeliverPolicy } from "@nats-io/jetstream";
import { apiCodes } from "./errors.ts";
import {
  addPatterns,
  dropPatterns,
  durableOf,
  emptyRecord,
  formatRecord,
  type GroupRecord,
  idleSources,
  parseRecord,
  patternsMax,
  rewound,
  type SourceEntry,
} from "./group-record.ts";
import type { JetStreamApi } from "./jetstream-api.ts";
import { inboxDurable, readySubject, recordSubject, type Topology, turnSubject, waitSubject } from "./names.ts";
import type { Settings } from "./options.ts";
import type { Publisher } from "./publisher.ts";

const millionNs = 1_000_000;
/** How often a change is tried again because somebody else changed the group in the same moment. */
const triesMax = 50;

export type StartFrom = "new" | "earliest" | { readonly timeMs: number };

export interface StoredRecord {
  readonly record: GroupRecord;
  readonly sequence: number;
}

export interface GroupStoreParts {
  readonly api: JetStreamApi;
  readonly publisher: Publisher;
  readonly topology: Topology;
  readonly settings: Settings;
  readonly random: () => number;
  /** The server takes several filters in one consumer. */
  readonly hasManyFilters: boolean;
  /** Makes missing streams again. */
  repair(): Promise<void>;
}

export interface EnsuredGroup {
  readonly record: GroupRecord;
  /** Consumers that should have been there and were not. */
  readonly remade: readonly string[];
  /** As the consumers on the server have it; the shortest counts. */
  readonly ackWaitMs: number;
}

export class GroupStore {
  readonly #parts: GroupStoreParts;

  constructor(parts: GroupStoreParts) {
    this.#parts = parts;
  }

  /** `undefined`: there is none, and never was. A removed group's record says so. */
  async load(group: string): Promise<StoredRecord | undefined> {
    const { api, topology } = this.#parts;
    const found = await api.last(topology.inbox, recordSubject(topology, group));
    const record = found === undefined ? undefined : parseRecord(new TextDecoder().decode(found.body));
    return found === undefined || record === undefined ? undefined : { record, sequence: found.sequence };
  }

  /** The group, if it is there. */
  async find(group: string): Promise<GroupRecord | undefined> {
    const stored = await this.load(group);
    return stored === undefined || stored.record.isRemoved === true ? undefined : stored.record;
  }

  /** Creates the group where it is missing, changes its patterns, and makes what consumers are missing. */
  async define(
    group: string,
    change: { readonly add: readonly TopicPattern[]; readonly drop: readonly TopicPattern[] },
    from: StartFrom,
  ): Promise<EnsuredGroup> {
    const { topology, hasManyFilters, settings } = this.#parts;
    let isNew = false;
    let before: readonly SourceEntry[] = [];
    const record = await this.#change(group, async (old) => {
      isNew = old === undefined || old.isRemoved === true;
      if (isNew && from !== "new" && settings.stream.retention !== "limits")
        throw new HalyardError("UNSUPPORTED", 'A group can start earlier only where the stream keeps messages: nats({ stream: { retention: "limits" } }).');
      if (old?.isRemoved === true) await this.#purgeInbox(group);
      const base = old === undefined || old.isRemoved === true ? emptyRecord(this.#incarnation()) : old;
      before = base.sources;
      const known = new Set(base.patterns.filter(({ until }) => until === undefined).map(({ text }) => text));
      if (!isNew && change.add.every(({ text }) => known.has(text)) && !change.drop.some(({ text }) => known.has(text))) return base;
      const last = isNew && from !== "new" ? 0 : await this.#lastSequence(topology);
      const dropped = dropPatterns(
        base,
        change.drop.map(({ text }) => text),
        last,
      );
      return addPatterns(dropped, change.add, { hasManyFilters, lastSequence: last });
    });
    const ensured = await this.ensureConsumers(group, record, isNew ? from : "new", before);
    await this.#removeIdle(group, ensured.record);
    return isNew ? { ...ensured, remade: [] } : ensured;
  }

  /** Puts back a definition that was lost with its stream. */
  async restore(group: string, record: GroupRecord): Promise<void> {
    await this.#change(group, async (old) => old ?? record);
  }

  /** `before`: the sources that should have consumers already; what is missing of others is made, and was not lost. */
  async ensureConsumers(group: string, known: GroupRecord, from: StartFrom = "new", before = known.sources): Promise<EnsuredGroup> {
    const { topology } = this.#parts;
    const lastSequence = await this.#lastSequence(topology);
    const record = rewound(known, lastSequence) === known ? known : await this.#change(group, async (old) => rewound(old ?? known, lastSequence));
    const remade: string[] = [];
    const ensure = async (stream: string, config: Partial<ConsumerConfig> & { durable_name: string }, isFresh: boolean): Promise<ConsumerInfo> => {
      const found = await this.#parts.api.consumerInfo(stream, config.durable_name);
      if (found !== undefined) return assertConsumer(stream, config, found);
      const info = await this.#add(stream, config);
      if (!isFresh) remade.push(`consumer ${config.durable_name} of stream ${stream}`);
      return info;
    };
    const infos = await Promise.all([
      ...record.sources.map((source) =>
        ensure(topology.stream, this.#topicConsumer(group, source, from), !before.some(({ number }) => number === source.number)),
      ),
      ensure(topology.inbox, this.#inboxConsumer(group), false),
    ]);
    const ackWaitMs = Math.min(...infos.map(({ config }) => (config.ack_wait ?? Number.POSITIVE_INFINITY) / millionNs));
    return { record, remade, ackWaitMs: Number.isFinite(ackWaitMs) ? ackWaitMs : this.#parts.settings.ackWaitMs };
  }

  /** With inbox and waiting retries. Members learn it from the record. */
  async remove(group: string): Promise<void> {
    const { api, topology } = this.#parts;
    const stored = await this.load(group);
    if (stored === undefined) return;
    let sources: readonly SourceEntry[] = [];
    await this.#change(group, async (old) => {
      sources = old?.sources ?? [];
      return { ...emptyRecord(old?.incarnation ?? this.#incarnation()), isRemoved: true };
    });
    // Each once: of two requests at a time to delete one consumer, a 2.9 cluster never answers the second.
    const durables = new Set([...sources, ...stored.record.sources].map((source) => durableOf(group, source)));
    await Promise.all([
      ...[...durables].map((durable) => api.deleteConsumer(topology.stream, durable)),
      api.deleteConsumer(topology.inbox, inboxDurable(group)),
    ]);
    await this.#purgeInbox(group);
    await api.purge(topology.inbox, turnSubject(topology, group));
  }

  /** Names of the groups that are there. */
  async names(): Promise<readonly string[]> {
    const { api, topology } = this.#parts;
    const prefix = recordSubject(topology, "");
    const info = await api.streamInfo(topology.inbox, `${prefix}*`);
    return Object.keys(info?.state.subjects ?? {}).map((subject) => subject.slice(prefix.length));
  }

  #incarnation(): string {
    return Math.floor(this.#parts.random() * 2 ** 48).toString(36);
  }

  async #lastSequence(topology: Topology): Promise<number> {
    const info = await this.#parts.api.streamInfo(topology.stream);
    if (info !== undefined) return info.state.last_seq;
    await this.#parts.repair();
    return 0;
  }

  async #change(group: string, change: (old: GroupRecord | undefined) => Promise<GroupRecord>): Promise<GroupRecord> {
    for (let tries = 0; tries < triesMax; tries++) {
      const stored = await this.load(group);
      const next = await change(stored?.record);
      if (next === stored?.record) return next;
      if (next.patterns.length > patternsMax)
        throw new HalyardError("INVALID_OPTIONS", `Group ${group} would have more than ${patternsMax} patterns, dropped ones included.`);
      if (await this.#write(group, next, stored?.sequence ?? 0)) return next;
    }
    throw new HalyardError("BUSY", `Group ${group} is being changed by too many at once: try again.`);
  }

  /** False where somebody else was quicker. */
  async #write(group: string, record: GroupRecord, sequence: number): Promise<boolean> {
    const { publisher, topology } = this.#parts;
    const headers = Buffer.from(`NATS/1.0\r\nNats-Rollup: sub\r\nNats-Expected-Last-Subject-Sequence: ${sequence}\r\ncontent-type: application/json\r\n\r\n`);
    const [status] = (await publisher.send([{ subject: recordSubject(topology, group), headers, body: Buffer.from(formatRecord(record)) }])) ?? [];
    if (status === undefined || status.status === "accepted") return true;
    const { error } = status;
    if (isHalyardError(error) && error.details.errorCode === apiCodes.wrongLastSequence) return false;
    if (status.status === "refused" && isHalyardError(error, "CONNECT_FAILED")) {
      await this.#parts.repair(); // no stream: it is made again, and the next try writes
      return false;
    }
    throw error;
  }

  async #add(stream: string, config: Partial<ConsumerConfig>): Promise<ConsumerInfo> {
    try {
      return await this.#parts.api.addConsumer(stream, config);
    } catch (thrown) {
      if (!isHalyardError(thrown) || thrown.details.errorCode !== apiCodes.streamNotFound) throw thrown;
      await this.#parts.repair();
      return this.#parts.api.addConsumer(stream, config);
    }
  }

  #topicConsumer(group: string, source: SourceEntry, from: StartFrom): Partial<ConsumerConfig> & { durable_name: string } {
    const { topology, settings } = this.#parts;
    const subjects = source.filters.map((filter) => topology.topicPrefix + filter);
    const [only = ""] = subjects;
    return {
      ...consumerDefaults(settings.ackWaitMs),
      durable_name: durableOf(group, source),
      ...(subjects.length === 1 ? { filter_subject: only } : { filter_subjects: subjects }),
      ...startOf(from),
    };
  }

  #inboxConsumer(group: string): Partial<ConsumerConfig> & { durable_name: string } {
    const { topology, settings } = this.#parts;
    return {
      ...consumerDefaults(settings.ackWaitMs),
      durable_name: inboxDurable(group),
      filter_subject: readySubject(topology, group),
      deliver_policy: DeliverPolicy.All,
    };
  }

  /** What no pattern needs any more goes once it is empty: what was stored before a pattern was dropped is still the group's. */
  async #removeIdle(group: string, record: GroupRecord): Promise<void> {
    const { api, topology } = this.#parts;
    const idle = idleSources(record);
    if (idle.length === 0) return;
    const gone = new Set<number>();
    for (const source of idle) {
      const info = await api.consumerInfo(topology.stream, durableOf(group, source));
      if (info === undefined || info.num_pending + info.num_ack_pending === 0) gone.add(source.number);
    }
    if (gone.size === 0) return;
    await this.#change(group, async (old) => {
      if (old === undefined) return record;
      const sources = old.sources.filter(({ number }) => !gone.has(number) || !idleSources(old).some((one) => one.number === number));
      return sources.length === old.sources.length ? old : { ...old, sources };
    });
    const kept = new Set((await this.load(group))?.record.sources.map(({ number }) => number));
    for (const source of idle) if (gone.has(source.number) && !kept.has(source.number)) await api.deleteConsumer(topology.stream, durableOf(group, source));
  }

  async #purgeInbox(group: string): Promise<void> {
    const { api, topology } = this.#parts;
    // What waits first: it is moved from there to what is ready.
    await api.purge(topology.inbox, waitSubject(topology, "*", group));
    await api.purge(topology.inbox, readySubject(topology, group));
  }
}

/** No limit on deliveries and no backoff: core decides what becomes of a message that comes again and again, and 2.9 stops delivering after a limit. */
function consumerDefaults(ackWaitMs: number): Partial<ConsumerConfig> {
  return { ack_policy: AckPolicy.Explicit, ack_wait: ackWaitMs * millionNs, max_deliver: -1, max_ack_pending: -1 };
}

function startOf(from: StartFrom): Partial<ConsumerConfig> {
  if (from === "new") return { deliver_policy: DeliverPolicy.New };
  if (from === "earliest") return { deliver_policy: DeliverPolicy.All };
  return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(from.timeMs).toISOString() };
}

/** @throws INVALID_OPTIONS where a consumer of that name cannot serve the group */
function assertConsumer(stream: string, wanted: Partial<ConsumerConfig> & { durable_name: string }, found: ConsumerInfo): ConsumerInfo {
  const { config } = found;
  const filters = ({ filter_subject: one, filter_subjects: many }: Partial<ConsumerConfig>): string =>
    [...(many ?? []), ...(one === undefined || one === "" ? [] : [one])].sort().join(" ");
  const refuse = (field: string, is: unknown, should: unknown): never => {
    throw new HalyardError(
      "INVALID_OPTIONS",
      `Consumer ${wanted.durable_name} of stream ${stream}: ${field} is ${JSON.stringify(is)}, Halyard relies on ${JSON.stringify(should)}. Delete it, or use another group name.`,
      { details: { stream, consumer: wanted.durable_name, field } },
    );
  };
  if (config.ack_policy !== AckPolicy.Explicit) refuse("ack_policy", config.ack_policy, "explicit");
  if ((config.max_deliver ?? -1) > 0) refuse("max_deliver", config.max_deliver, -1);
  if (config.deliver_subject !== undefined && config.deliver_subject !== "") refuse("deliver_subject", config.deliver_subject, "");
  if (config.headers_only === true) refuse("headers_only", true, false);
  if ((config.inactive_threshold ?? 0) > 0) refuse("inactive_threshold", config.inactive_threshold, 0);
  if (config.backoff !== undefined && config.backoff !== null && config.backoff.length > 0) refuse("backoff", config.backoff, []);
  if (filters(config) !== filters(wanted)) refuse("filter_subject", filters(config), filters(wanted));
  return found;
}
