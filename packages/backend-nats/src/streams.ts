/**
 * The three streams of a namespace. What exists already is used as it is, but compared field by field with what Halyard relies on: a server drops fields it
 * does not know without a word (2.9 takes `allow_msg_ttl` and ignores it), and a stream made by hand may keep less than was promised.
 */
import { HalyardError } from "@halyard/core/spi";
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig, type StreamInfo } from "@nats-io/jetstream";
import { apiCodes, asError, isApiCode } from "./errors.ts";
import type { JetStreamApi } from "./jetstream-api.ts";
import { streamSubjects, type Topology } from "./names.ts";
import type { Settings } from "./options.ts";

const millionNs = 1_000_000;

export type WantedStream = Partial<StreamConfig> & Pick<StreamConfig, "name" | "subjects" | "retention" | "storage" | "num_replicas" | "discard">;

/** How the three streams are made. */
export function wantedStreams(
  topology: Topology,
  settings: Settings,
): { readonly topics: WantedStream; readonly inbox: WantedStream; readonly dead: WantedStream } {
  const { stream, dedupMs } = settings;
  const subjects = streamSubjects(topology);
  const common = {
    storage: stream.storage === "file" ? StorageType.File : StorageType.Memory,
    num_replicas: stream.replicas,
    // Full means: refused, so that the publisher hears of it. The other policy would drop what groups have not handled.
    discard: DiscardPolicy.New,
    duplicate_window: dedupMs * millionNs,
  };
  return {
    topics: {
      ...common,
      name: topology.stream,
      subjects: subjects.topics,
      // Not `interest`, whatever is removed when: see `sweeper.ts`.
      retention: RetentionPolicy.Limits,
      ...(stream.maxAgeMs === undefined ? {} : { max_age: stream.maxAgeMs * millionNs }),
      ...(stream.maxBytes === undefined ? {} : { max_bytes: stream.maxBytes }),
      ...(stream.maxMessages === undefined ? {} : { max_msgs: stream.maxMessages }),
    },
    // What was settled is gone: each subject has one consumer. Definitions of groups are replaced by rollup.
    inbox: { ...common, name: topology.inbox, subjects: subjects.inbox, retention: RetentionPolicy.Workqueue, allow_rollup_hdrs: true },
    dead: { ...common, name: topology.dead, subjects: subjects.dead, retention: RetentionPolicy.Limits },
  };
}

export interface StreamsFound {
  readonly topics: StreamInfo;
  readonly inbox: StreamInfo;
  readonly dead: StreamInfo;
  /** Names of those that were not there. */
  readonly made: readonly string[];
}

/** Makes what is missing. Rejects with `INVALID_OPTIONS` where a stream that exists would break a promise. */
export async function ensureStreams(api: JetStreamApi, topology: Topology, settings: Settings): Promise<StreamsFound> {
  const wanted = wantedStreams(topology, settings);
  const made: string[] = [];
  const ensure = async (config: WantedStream): Promise<StreamInfo> => {
    const found = await api.streamInfo(config.name);
    if (found !== undefined) return found;
    try {
      const info = await api.addStream(config);
      made.push(config.name);
      return info;
    } catch (thrown) {
      const cause = thrown instanceof Error ? thrown.cause : undefined;
      const other = isApiCode(cause, apiCodes.streamNameInUse) ? await api.streamInfo(config.name) : undefined;
      if (other === undefined) throw thrown;
      return other; // somebody else was quicker
    }
  };
  const [topics, inbox, dead] = await Promise.all([ensure(wanted.topics), ensure(wanted.inbox), ensure(wanted.dead)]);
  compare(wanted.topics, topics.config);
  compare(wanted.inbox, inbox.config);
  compare(wanted.dead, dead.config);
  return { topics, inbox, dead, made };
}

/** A sentence for each difference between how the streams are now and what the options say, also for those that break a promise. */
export async function streamWarnings(api: JetStreamApi, topology: Topology, settings: Settings): Promise<readonly string[]> {
  const look = async (config: WantedStream): Promise<readonly string[]> => {
    const found = await api.streamInfo(config.name);
    if (found === undefined) return [`Stream ${config.name} is gone: it is made again when it is needed.`];
    try {
      return compare(config, found.config);
    } catch (thrown) {
      return [asError(thrown).message];
    }
  };
  return (await Promise.all(Object.values(wantedStreams(topology, settings)).map(look))).flat();
}

/**
 * @returns a sentence for each field that is other than the options say
 * @throws INVALID_OPTIONS for a field that a promise rests on
 */
export function compare(wanted: WantedStream, found: StreamConfig): readonly string[] {
  const differs = (field: string, is: unknown, should: unknown): string =>
    `Stream ${wanted.name}: ${field} is ${JSON.stringify(is)}, Halyard's options say ${JSON.stringify(should)}`;
  const refuse = (field: string, is: unknown, should: unknown, why: string): never => {
    throw new HalyardError("INVALID_OPTIONS", `${differs(field, is, should)}. ${why} Change the stream, or use other names for Halyard's.`, {
      details: { stream: wanted.name, field },
    });
  };
  if ([...found.subjects].sort().join() !== [...wanted.subjects].sort().join()) refuse("subjects", found.subjects, wanted.subjects, "Messages would get lost.");
  if (found.retention !== wanted.retention) refuse("retention", found.retention, wanted.retention, "Messages would go too early, or stay for ever.");
  if (found.discard !== DiscardPolicy.New && (found.max_msgs > 0 || found.max_bytes > 0))
    refuse("discard", found.discard, DiscardPolicy.New, "A full stream would drop messages that no group has handled.");
  if (found.sealed === true) refuse("sealed", true, false, "Nothing can be stored.");
  if (found.no_ack === true) refuse("no_ack", true, false, "No publish would be confirmed.");
  if (found.deny_delete === true || found.deny_purge === true) refuse("deny_delete, deny_purge", true, false, "Letters and groups could not be removed.");
  if (wanted.allow_rollup_hdrs === true && found.allow_rollup_hdrs !== true) refuse("allow_rollup_hdrs", false, true, "Groups could not be changed.");
  if (found.max_msgs_per_subject > 0) refuse("max_msgs_per_subject", found.max_msgs_per_subject, -1, "Messages would be dropped unhandled.");
  if (found.max_age > 0 && wanted.max_age === undefined) refuse("max_age", found.max_age, 0, "Messages would be dropped unhandled.");
  // From 2.10 on a stream may rename what it stores, and say how long its consumers live without anybody who asks.
  if (found.subject_transform !== undefined) refuse("subject_transform", found.subject_transform, undefined, "Messages would be stored on other subjects.");
  const { inactive_threshold: idleNs = 0 } = found.consumer_limits ?? {};
  if (idleNs > 0) refuse("consumer_limits.inactive_threshold", idleNs, 0, "Groups without members would lose what waits for them.");
  if (!(found.duplicate_window > 0)) refuse("duplicate_window", found.duplicate_window, wanted.duplicate_window, "A repeated publish would be stored twice.");
  const warnings: string[] = [];
  for (const field of ["storage", "num_replicas", "max_age", "max_bytes", "max_msgs", "duplicate_window"] as const) {
    const should = wanted[field];
    if (should !== undefined && found[field] !== should) warnings.push(`${differs(field, found[field], should)}; the stream stays as it is.`);
  }
  if (found.max_consumers > 0)
    warnings.push(`Stream ${wanted.name}: max_consumers is ${found.max_consumers}; groups and delays beyond that number cannot be made.`);
  if (found.max_msg_size > 0) warnings.push(`Stream ${wanted.name}: max_msg_size is ${found.max_msg_size}; larger messages are refused.`);
  return warnings;
}
