/** `bus.history(…)`: what was published, read again without consuming it. */
import { type Encoding, messageOf, unpackPayload } from "./envelope.ts";
import { HalyardError } from "./errors.ts";
import type { ControlCall } from "./groups.ts";
import { assertKnownOptions } from "./known-options.ts";
import type { Message } from "./message.ts";
import { parsePattern, type TopicPattern } from "./pattern.ts";
import type { Session } from "./spi/backend.ts";
import type { History, HistoryStart, StoredMessage } from "./spi/control.ts";
import { assertMessageId } from "./topic.ts";
import { asError } from "./waiting.ts";

export interface HistoryOptions {
  /** Default `start`. */
  readonly from?: HistoryStart;
  /** Ends after so many messages. Default: at the end of what is stored. */
  readonly limit?: number;
}

export interface HistoryEntry<Payload = unknown, Topic extends string = string> {
  /** Its payload is `undefined` where the body cannot be decoded; `error` tells. */
  readonly message: Message<Payload, Topic>;
  readonly position: string;
  readonly error: Error | undefined;
}

const optionNames: ReadonlySet<string> = new Set(["from", "limit"] satisfies (keyof HistoryOptions)[]);

function assertOptions(options: HistoryOptions): void {
  assertKnownOptions("history", options, optionNames);
  const { from = "start", limit = 1 } = options;
  if (!(typeof limit === "number" && limit > 0)) throw new HalyardError("INVALID_OPTIONS", "limit must be a number above 0.");
  if (!isStart(from)) throw new HalyardError("INVALID_OPTIONS", 'from must be "start", { after: position } or { timeMs } with milliseconds since 1970.');
}

function isStart(from: HistoryStart): boolean {
  if (typeof from !== "object" || from === null) return from === "start";
  return "after" in from ? typeof from.after === "string" : Number.isFinite(from.timeMs);
}

/** Messages read at once. */
const pageMax = 500;

export async function* readHistory(
  call: ControlCall,
  encoding: Encoding,
  patterns: readonly TopicPattern[],
  options: HistoryOptions,
): AsyncGenerator<HistoryEntry> {
  assertOptions(options);
  let rest = options.limit ?? Number.POSITIVE_INFINITY;
  for (let from = options.from ?? "start"; rest > 0; ) {
    const limit = Math.min(pageMax, rest);
    const page = await call("Reading the history", (session, signal) => historyOf(session).read({ patterns, from, limit, signal }));
    for (const stored of page.messages) yield entryOf(stored, encoding);
    rest -= page.messages.length;
    const last = page.messages.at(-1);
    if (last === undefined || page.end) return;
    from = { after: last.position };
  }
}

export async function readHistoryById(call: ControlCall, encoding: Encoding, ids: readonly string[]): Promise<readonly (HistoryEntry | undefined)[]> {
  for (const id of ids) assertMessageId(id);
  if (ids.length === 0) return [];
  const known = await call("Reading the history", async (session, signal) => historyOf(session).byId?.(ids, signal));
  const found = known ?? (await search(call, ids));
  return found.map((stored) => (stored === undefined ? undefined : entryOf(stored, encoding)));
}

/** Brokers without an index of ids: what they keep is read through until all are found. An id that was published to several topics is found once, the oldest. */
async function search(call: ControlCall, ids: readonly string[]): Promise<readonly (StoredMessage | undefined)[]> {
  const missing = new Set(ids);
  const found = new Map<string, StoredMessage>();
  for (let from: HistoryStart = "start"; missing.size > 0; ) {
    const page = await call("Reading the history", (session, signal) => historyOf(session).read({ patterns: [everything], from, limit: pageMax, signal }));
    for (const stored of page.messages) if (missing.delete(stored.message.id)) found.set(stored.message.id, stored);
    const last = page.messages.at(-1);
    if (last === undefined || page.end) break;
    from = { after: last.position };
  }
  return ids.map((id) => found.get(id));
}

const everything = parsePattern("#");

function entryOf({ message, position }: StoredMessage, encoding: Encoding): HistoryEntry {
  // One message that cannot be read must not hide all that come after it.
  try {
    return { message: messageOf(message, unpackPayload(message, encoding)), position, error: undefined };
  } catch (thrown) {
    return { message: messageOf(message, undefined), position, error: asError(thrown) };
  }
}

function historyOf(session: Session): History {
  if (session.history === undefined) throw new HalyardError("UNSUPPORTED", "This backend keeps no history, or it is switched off by an option of the backend.");
  return session.history;
}
