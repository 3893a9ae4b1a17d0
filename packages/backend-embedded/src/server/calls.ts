/** Calls of the control plane: reads the arguments of each method, checked, and asks the session. */
import { HalyardError, type HistoryStart, isGroupName, type Session, type StoredMessage } from "@halyard/core/spi";
import { type Method, methods } from "../protocol/frames.ts";
import { record } from "../protocol/greeting.ts";
import { fromOf, isCount, patternsOf } from "../protocol/subscribe-request.ts";
import { violation } from "../protocol/violation.ts";

/** Most messages of one page, whatever is asked for. */
export const pageMessagesMax = 1_000;
const idsMax = 10_000;

/** A page of stored messages, some of which may be missing, and whether nothing more is stored. */
export interface StoredPage {
  readonly messages: readonly (StoredMessage | undefined)[];
  readonly end: boolean;
}

type Answer = (session: Session, input: Readonly<Record<string, unknown>>, signal: AbortSignal) => Promise<unknown>;

const answers: Partial<Readonly<Record<Method, Answer>>> = {
  [methods.ping]: (session, _, signal) => session.admin.ping(signal),
  [methods.warnings]: (session, _, signal) => session.admin.warnings(signal),
  [methods.defineGroup]: (session, input, signal) =>
    session.admin.defineGroup(groupOf(input), { add: patternsOf(input.add), drop: patternsOf(input.drop) }, signal),
  [methods.removeGroup]: (session, input, signal) => session.admin.removeGroup(groupOf(input), signal),
  [methods.purgeGroup]: (session, input, signal) => session.admin.purgeGroup(groupOf(input), signal),
  [methods.group]: (session, input, signal) => session.admin.group(groupOf(input), signal),
  [methods.groups]: (session, _, signal) => session.admin.groups(signal),
  [methods.topics]: (session, _, signal) => session.admin.topics(signal),
  [methods.deadLetterCount]: (session, input, signal) => session.deadLetters.count(groupOf(input), signal),
  [methods.deadLetterPurge]: (session, input, signal) => session.deadLetters.purge(groupOf(input), signal),
};

/** What JSON can carry. @throws PROTOCOL_ERROR for an unknown method or wrong arguments. */
export async function answer(session: Session, method: number, input: unknown, signal: AbortSignal): Promise<unknown> {
  const found = answers[method as Method];
  if (found === undefined) throw violation(`an unknown call (${method})`);
  return found(session, record(input), signal);
}

export async function readHistory(session: Session, input: unknown, signal: AbortSignal): Promise<StoredPage> {
  const { patterns, from, limit } = record(input);
  if (session.history === undefined) throw noHistory();
  if (!isCount(limit, 2 ** 31)) throw violation("a limit that is no count");
  return session.history.read({ patterns: patternsOf(patterns), from: startOf(from), limit: Math.min(limit, pageMessagesMax), signal });
}

export async function readHistoryById(session: Session, input: unknown, signal: AbortSignal): Promise<StoredPage> {
  const { ids } = record(input);
  if (session.history?.byId === undefined) throw noHistory();
  if (!Array.isArray(ids) || ids.length > idsMax || !ids.every((id) => typeof id === "string")) throw violation("ids that are no list of texts, or too many");
  return { messages: await session.history.byId(ids, signal), end: true };
}

export function groupOf(input: Readonly<Record<string, unknown>>): string {
  const { group } = input;
  if (typeof group === "string" && isGroupName(group)) return group;
  throw violation("a group name outside the grammar");
}

function startOf(from: unknown): HistoryStart {
  if (from === "start") return from;
  const { after } = record(from);
  if (typeof after === "string") return { after };
  const start = fromOf(from);
  if (typeof start === "string") throw violation("a start of history that is unknown");
  return start;
}

function noHistory(): HalyardError {
  return new HalyardError("UNSUPPORTED", "The server keeps no history: start it with history switched on.");
}
