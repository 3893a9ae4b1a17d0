/** `bus.history(…)`: what was published, read again without consuming it. */
import { type Encoding, messageOf, unpackPayload } from "./envelope.ts";
import { HalyardError } from "./errors.ts";
import type { ControlCall } from "./groups.ts";
import type { Message } from "./message.ts";
import type { TopicPattern } from "./pattern.ts";
import type { Session } from "./spi/backend.ts";
import type { History, StoredMessage } from "./spi/control.ts";
import { assertMessageId } from "./topic.ts";
import { asError } from "./waiting.ts";

export interface HistoryOptions {
  /** Default `start`. `after`: a position that was returned before. */
  readonly from?: "start" | { readonly after: string } | { readonly timeMs: number };
  /** Ends after so many messages. Default: at the end of what is stored. */
  readonly limit?: number;
}

export interface HistoryEntry<Payload = unknown, Topic extends string = string> {
  /** Its payload is `undefined` where the body cannot be decoded; `error` tells. */
  readonly message: Message<Payload, Topic>;
  readonly position: string;
  readonly error: Error | undefined;
}

/** Messages read at once. */
const pageMax = 500;

export async function* readHistory(
  call: ControlCall,
  encoding: Encoding,
  patterns: readonly TopicPattern[],
  options: HistoryOptions,
): AsyncGenerator<HistoryEntry> {
  let rest = options.limit ?? Number.POSITIVE_INFINITY;
  if (!(rest > 0)) throw new HalyardError("INVALID_OPTIONS", "limit must be a number above 0.");
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
  const found = await call("Reading the history", (session, signal) => {
    const history = historyOf(session);
    if (history.byId === undefined) throw new HalyardError("UNSUPPORTED", "This backend's history cannot be read by id.");
    return history.byId(ids, signal);
  });
  return found.map((stored) => (stored === undefined ? undefined : entryOf(stored, encoding)));
}

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
