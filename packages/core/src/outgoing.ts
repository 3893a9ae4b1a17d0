/** One message on its way to the broker, which of them can share a call, and what its publisher is told when it does not get there. */
import { HalyardError, isHalyardError } from "./errors.ts";
import type { PublishRequest } from "./spi/backend.ts";
import type { WireMessage } from "./spi/message.ts";

/**
 * Most messages and bytes that one call of `Session.publish` carries. Small enough that a full outbox makes several: while the broker takes one the
 * next is encoded, instead of both sides working by turns (embedded, 256 publishes outstanding: a third faster than all in one).
 */
export const batchMessagesMax = 512;
const batchBytesMax = 32 * 1024;

export interface PublishReceipt {
  /** Of the message: the one that was given, or a new UUIDv7. */
  readonly id: string;
  /** The broker had this id already, and stored nothing new. */
  readonly duplicate: boolean;
  /** The broker's position of the message, where `position: true` was asked and the broker has one. */
  readonly position: string | undefined;
}

export type Target = NonNullable<PublishRequest["target"]>;

export interface OutgoingOptions {
  readonly target: Target | undefined;
  /** Core made the id: no broker can have seen it. */
  readonly isFresh: boolean;
  readonly wantsPosition: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

type State = "waiting" | "flying" | "held" | "done";

/** What the entries of one turn have in common. */
export interface TurnOfEntries {
  /** When the turn's messages were about to leave: deadlines count from here, so that long work in the turn shortens none. */
  startMs: number;
}

/** One message on its way: few fields, for there is one object a message. The promise's own functions are kept, so a publish makes one promise. */
export class Outgoing {
  readonly message: WireMessage;
  readonly options: OutgoingOptions;
  readonly turn: TurnOfEntries;
  readonly order: number;
  state: State = "waiting";
  isFirstSend: boolean;
  /** Perhaps stored: some earlier sending has an unknown outcome. */
  isUnknown = false;
  resolve: ((receipt: PublishReceipt) => void) | undefined = undefined;
  reject: ((error: Error) => void) | undefined = undefined;
  lastError: Error | undefined = undefined;

  constructor(message: WireMessage, options: OutgoingOptions, order: number, turn: TurnOfEntries) {
    this.message = message;
    this.options = options;
    this.order = order;
    this.turn = turn;
    this.isFirstSend = options.isFresh;
  }

  get deadlineMs(): number {
    return this.turn.startMs + this.options.timeoutMs;
  }

  get bytes(): number {
    return this.message.body.byteLength + entryBytes;
  }
}

/** What a message takes beside its body, about. */
export const entryBytes = 256;

/** The longest run from `from` that can go in one call: one target, one kind, bounded. */
export function takeBatch(waiting: readonly Outgoing[], from: number): { readonly entries: Outgoing[]; readonly taken: number } {
  const entries: Outgoing[] = [];
  let bytes = 0;
  let index = from;
  for (; index < waiting.length && entries.length < batchMessagesMax && bytes < batchBytesMax; index++) {
    const entry = waiting[index] as Outgoing; // index < length
    if (entry.state === "done") continue;
    const first = entries[0];
    if (first !== undefined && !canShareBatch(first, entry)) break;
    bytes += entry.bytes;
    entries.push(entry);
  }
  return { entries, taken: index - from };
}

function canShareBatch(first: Outgoing, other: Outgoing): boolean {
  return (
    first.isFirstSend === other.isFirstSend &&
    first.options.wantsPosition === other.options.wantsPosition &&
    (first.options.target === other.options.target ||
      (first.options.target !== undefined && other.options.target !== undefined && routeOf(first) === routeOf(other)))
  );
}

/** Messages of one route keep their order. */
export function routeOf(entry: Outgoing): string {
  const { target } = entry.options;
  if (target === undefined) return entry.message.topic;
  return "group" in target ? `>${target.group}` : `!${target.deadLetters}`;
}

/** Merges entries back to where they stood. Rare path: a sort is good enough. */
export function inOrder(again: readonly Outgoing[], waiting: readonly Outgoing[]): Outgoing[] {
  return [...again, ...waiting].sort((left, right) => left.order - right.order);
}

export function lateError(entry: Outgoing, connectionError: Error | undefined): HalyardError {
  const details = { id: entry.message.id, topic: entry.message.topic, timeoutMs: entry.options.timeoutMs };
  const cause = entry.lastError ?? connectionError;
  if (entry.state === "flying" || entry.isUnknown) {
    return new HalyardError(
      "PUBLISH_UNKNOWN",
      `The broker did not answer within ${entry.options.timeoutMs} ms: the message may be stored. Publishing it again under the same id is safe where the broker deduplicates.`,
      { cause, details },
    );
  }
  // There is a connection, or was when the broker refused: it was room that was missing, for this message or for those before it.
  if (connectionError === undefined || isHalyardError(cause, "BACKPRESSURE")) {
    const text = `The broker had no room within ${entry.options.timeoutMs} ms; the message was not stored.${cause === undefined ? "" : ` ${cause.message}`}`;
    return new HalyardError("BACKPRESSURE", text, { cause, details });
  }
  return new HalyardError(
    "CONNECT_FAILED",
    `There was no connection within ${entry.options.timeoutMs} ms; the message was not sent.${cause === undefined ? "" : ` ${cause.message}`}`,
    { cause, details },
  );
}

export function abortedError(entry: Outgoing): HalyardError {
  const what = entry.state === "flying" || entry.isUnknown ? "may be stored" : "was not stored";
  return new HalyardError("ABORTED", `The publish was aborted; the message ${what}.`, { cause: entry.options.signal?.reason });
}

export function closedError(entry: Outgoing): HalyardError {
  const isUnknown = entry.state === "flying" || entry.isUnknown;
  return isUnknown
    ? new HalyardError("PUBLISH_UNKNOWN", "The bus closed before the broker answered: the message may be stored.", { cause: entry.lastError })
    : new HalyardError("CLOSED", "The bus closed before the message was sent; it was not stored.", { cause: entry.lastError });
}
