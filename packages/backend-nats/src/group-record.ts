/**
 * The definition of a group, as it is kept on the server: its patterns, and the consumers (sources) that feed it. It exists because a server before 2.10
 * keeps neither several filters nor any data of ours with a consumer.
 *
 * **A message belongs to the first source in the list whose filters take it**, among the sources that were there when it was stored. So where filters
 * of two sources overlap a message still arrives once: the other source drops its copy. The list only grows at its end, and a source is taken away only
 * when it overlaps no other, so the owner of a stored message never changes.
 */
import { parsePattern, type TopicPattern } from "@halyard/core/spi";
import { collide, coverOf, covers, type Filter, filtersOf, takes, textOf, widest } from "./filters.ts";
import { inboxDurable, type Topology, topicDurable } from "./names.ts";

export interface PatternEntry {
  readonly text: string;
  /** Messages of the stream above this sequence count. */
  readonly since: number;
  /** Dropped: messages up to this sequence still count. */
  readonly until?: number | undefined;
}

export interface SourceEntry {
  /** 0, 1, …: its place in the name of its consumer; never used twice. */
  readonly number: number;
  /** Words and wildcards without the namespace's prefix. */
  readonly filters: readonly string[];
  readonly since: number;
}

export interface GroupRecord {
  readonly version: 1;
  /** Distinguishes a group from an earlier one of the same name. */
  readonly incarnation: string;
  /** The group was removed: members stop, and nothing is made again. */
  readonly isRemoved?: boolean | undefined;
  readonly patterns: readonly PatternEntry[];
  readonly sources: readonly SourceEntry[];
}

/** Filters of one group on a server that takes one filter a consumer; beyond it one wide consumer serves them all. */
export const sourcesMax = 16;
/** Patterns that a record may hold, dropped ones included. */
export const patternsMax = 1_000;

export interface RecordContext {
  /** The server takes several filters in one consumer (2.10). */
  readonly hasManyFilters: boolean;
  /** Last sequence of the stream. */
  readonly lastSequence: number;
}

export const emptyRecord = (incarnation: string): GroupRecord => ({ version: 1, incarnation, patterns: [], sources: [] });

/** The patterns that count now. */
export const activePatterns = (record: GroupRecord): readonly string[] => record.patterns.filter(({ until }) => until === undefined).map(({ text }) => text);

/** The same record where nothing is new. */
export function addPatterns(record: GroupRecord, add: readonly TopicPattern[], context: RecordContext): GroupRecord {
  const known = new Set(activePatterns(record));
  const fresh = [...new Map(add.map((pattern) => [pattern.text, pattern])).values()].filter(({ text }) => !known.has(text));
  if (fresh.length === 0) return record;
  const { lastSequence } = context;
  const patterns = [...record.patterns, ...fresh.map(({ text }) => ({ text, since: lastSequence }))];
  const taken = record.sources.flatMap(({ filters }) => filters.map((text) => text.split(".")));
  const wanted = coverOf(fresh.flatMap(filtersOf)).filter(({ words }) => !taken.some((wide) => covers(wide, words)));
  const from = record.sources.reduce((next, { number }) => Math.max(next, number + 1), 0);
  const sources = shelvesFor(wanted, record.sources.length, context).map((filters, index) => ({
    number: from + index,
    filters: filters.map(textOf),
    since: lastSequence,
  }));
  return { ...record, patterns, sources: [...record.sources, ...sources] };
}

/** Which filters go together into one consumer. */
function shelvesFor(wanted: readonly Filter[], existing: number, { hasManyFilters }: RecordContext): readonly (readonly Filter[])[] {
  if (wanted.length === 0) return [];
  if (!hasManyFilters) return existing + wanted.length > sourcesMax ? [[widest(wanted)]] : wanted.map((filter) => [filter]);
  // The server refuses filters of one consumer that overlap: those go into another.
  const shelves: Filter[][] = [];
  for (const filter of wanted) {
    const shelf = shelves.find((others) => !others.some(({ words }) => collide(words, filter.words)));
    if (shelf === undefined) shelves.push([filter]);
    else shelf.push(filter);
  }
  return shelves;
}

/** What was stored before keeps counting. Sources stay until they are empty, see `idleSources`. */
export function dropPatterns(record: GroupRecord, drop: readonly string[], lastSequence: number): GroupRecord {
  const dropped = new Set(drop);
  if (!record.patterns.some(({ text, until }) => until === undefined && dropped.has(text))) return record;
  const patterns = record.patterns.map((entry) => (entry.until === undefined && dropped.has(entry.text) ? { ...entry, until: lastSequence } : entry));
  return { ...record, patterns };
}

/** For a stream that was made again: it counts from one, so everything in it is newer than what the record knows. The same record where nothing is ahead. */
export function rewound(record: GroupRecord, lastSequence: number): GroupRecord {
  const isAhead =
    [...record.patterns, ...record.sources].some(({ since }) => since > lastSequence) || record.patterns.some(({ until = 0 }) => until > lastSequence);
  if (!isAhead) return record;
  const patterns = record.patterns.filter(({ until }) => until === undefined).map(({ text }) => ({ text, since: 0 }));
  return { ...record, patterns, sources: record.sources.map((source) => ({ ...source, since: 0 })) };
}

/** Sources that no pattern needs: none that counts could match what they take, and no other source overlaps them. */
export function idleSources(record: GroupRecord): readonly SourceEntry[] {
  const wanted = activePatterns(record).flatMap((text) => filtersOf(parsePattern(text)));
  const overlap = (source: SourceEntry, other: readonly string[]): boolean => source.filters.some((text) => collide(text.split("."), other));
  return record.sources.filter(
    (source) =>
      !wanted.some(({ words }) => overlap(source, words)) &&
      !record.sources.some((other) => other !== source && other.filters.some((text) => overlap(source, text.split(".")))),
  );
}

/** Whether a message that a source handed over is this group's to handle. `undefined`: all that it hands over are. */
export type SourceCheck = (topic: string, sequence: number) => boolean;

export function checkOf(record: GroupRecord, source: SourceEntry): SourceCheck | undefined {
  const before = record.sources
    .slice(0, record.sources.indexOf(source))
    .map(({ filters, since }) => ({ filters: filters.map((text) => text.split(".")), since }));
  const own = source.filters.map((text) => text.split("."));
  const rivals = before.filter(({ filters }) => filters.some((words) => own.some((other) => collide(words, other))));
  const exact = record.patterns
    .filter(({ since, until }) => until === undefined && since <= source.since)
    .flatMap(({ text }) => filtersOf(parsePattern(text)))
    .filter(({ isExact }) => isExact);
  const isExact = own.every((words) => exact.some((filter) => covers(filter.words, words)));
  if (isExact && rivals.length === 0) return undefined;
  const patterns = record.patterns.map(({ text, since, until = Number.POSITIVE_INFINITY }) => ({ pattern: parsePattern(text), since, until }));
  return (topic, sequence) => {
    if (!patterns.some(({ pattern, since, until }) => sequence > since && sequence <= until && pattern.matches(topic))) return false;
    if (rivals.length === 0) return true;
    const words = topic.split(".");
    return !rivals.some(({ filters, since }) => sequence > since && filters.some((filter) => takes(filter, words)));
  };
}

/** Whether what waits in the sources is what waits for the group: no source holds surplus or another's copies. */
export const isExact = (record: GroupRecord): boolean => record.sources.every((source) => checkOf(record, source) === undefined);

/** Name on the server. */
export const durableOf = (group: string, source: SourceEntry): string => topicDurable(group, source.number);

/** All the consumers that hand the group its messages. */
export const consumersOf = (topology: Topology, group: string, { sources }: GroupRecord): readonly { readonly stream: string; readonly durable: string }[] => [
  { stream: topology.inbox, durable: inboxDurable(group) },
  ...sources.map((source) => ({ stream: topology.stream, durable: durableOf(group, source) })),
];

export const formatRecord = (record: GroupRecord): string => JSON.stringify(record);

/** `undefined` where it is none: what another program wrote there must not stop a bus. */
export function parseRecord(text: string): GroupRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is GroupRecord {
  if (typeof value !== "object" || value === null) return false;
  const { version, incarnation, patterns, sources } = value as Partial<Record<keyof GroupRecord, unknown>>;
  return (
    version === 1 &&
    typeof incarnation === "string" &&
    Array.isArray(patterns) &&
    patterns.length <= patternsMax &&
    patterns.every(isPatternEntry) &&
    Array.isArray(sources) &&
    sources.every(isSourceEntry)
  );
}

function isPatternEntry(value: unknown): value is PatternEntry {
  if (typeof value !== "object" || value === null) return false;
  const { text, since, until } = value as Partial<Record<keyof PatternEntry, unknown>>;
  return isPatternText(text) && typeof since === "number" && (until === undefined || typeof until === "number");
}

function isPatternText(text: unknown): boolean {
  try {
    parsePattern(text as string); // throws for anything that is no pattern
    return true;
  } catch {
    return false;
  }
}

function isSourceEntry(value: unknown): value is SourceEntry {
  if (typeof value !== "object" || value === null) return false;
  const { number, filters, since } = value as Partial<Record<keyof SourceEntry, unknown>>;
  const isNumbered = typeof number === "number" && Number.isSafeInteger(number) && number >= 0;
  return isNumbered && Array.isArray(filters) && filters.length > 0 && filters.every((text) => typeof text === "string") && typeof since === "number";
}
