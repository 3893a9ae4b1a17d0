/** Pure mapping between a failed message and its dead letter: diagnostics travel in headers, so any program on the same broker can read them. */
import { type Encoding, messageOf, unpackPayload, withOwnHeaders } from "./envelope.ts";
import { isHalyardError, textOf } from "./errors.ts";
import { headerBytesMax } from "./limits.ts";
import { type Message, ownHeaders } from "./message.ts";
import type { WireMessage } from "./spi/message.ts";

/**
 * `attempts`: the last attempt failed · `non-retryable`: an error that would come back for ever, or the policy said so · `requested`: the handler
 * asked for it · `decode`: the body could not be decoded, decompressed or validated · `crashed`: it killed its process too often · `unmatched`: no
 * member has a pattern for it · `expired`: its time to live had passed and the subscription keeps such messages.
 */
export type DeadLetterReason = "attempts" | "non-retryable" | "requested" | "decode" | "crashed" | "unmatched" | "expired";

export interface DeadLetterError {
  readonly name: string;
  /** At most 4 KiB; empty where the user's headers left no room. */
  readonly message: string;
  readonly code: string | undefined;
  /** At most 8 KiB. */
  readonly stack: string | undefined;
}

export interface DeadLetter<Payload = unknown> {
  /** Of the message; `redrive`, `remove` and `get` take it. */
  readonly id: string;
  /** Whose letter it is. */
  readonly group: string;
  /** The message as it was published. Its payload is `undefined` where it cannot be decoded; `body` has the bytes. */
  readonly message: Message<Payload>;
  /** The encoded payload, still compressed if it was. */
  readonly body: Uint8Array;
  readonly reason: DeadLetterReason;
  /** What the handler threw last; `undefined` where nothing was thrown. */
  readonly error: DeadLetterError | undefined;
  /** Handler runs that failed. */
  readonly attempts: number;
  /** Hand-overs of the last copy by the broker. */
  readonly deliveries: number;
  /** Milliseconds since 1970, as the other times. */
  readonly firstFailedAtMs: number | undefined;
  readonly lastFailedAtMs: number | undefined;
  /** When it became a letter. */
  readonly deadAtMs: number | undefined;
  /** More than 1 where a crash in the moment of dead-lettering left it twice. */
  readonly copies: number;
  /** When it would have expired; as a letter it is kept, and a redriven message does not expire. */
  readonly expiresAtMs: number | undefined;
}

const stackBytesMax = 8_192;
const messageBytesMax = 4_096;

export interface Diagnosis {
  readonly reason: DeadLetterReason;
  readonly error: unknown;
  readonly group: string;
  readonly attempts: number;
  readonly deliveries: number;
  /** For failures in place; an earlier one that the message itself remembers wins. */
  readonly firstFailedAtMs: number;
  readonly nowMs: number;
}

/** The wire message that goes into the dead letters. It does not expire: evidence must outlive the message. */
export function toLetter(message: WireMessage, diagnosis: Diagnosis): WireMessage {
  const now = String(diagnosis.nowMs);
  const own: Record<string, string | undefined> = {
    [ownHeaders.deadReason]: diagnosis.reason,
    [ownHeaders.deadGroup]: diagnosis.group,
    [ownHeaders.deadAt]: now,
    [ownHeaders.deadAttempts]: String(diagnosis.attempts),
    [ownHeaders.deadDeliveries]: String(diagnosis.deliveries),
    [ownHeaders.firstFailedAt]: message.headers[ownHeaders.firstFailedAt] ?? (diagnosis.attempts > 0 ? String(diagnosis.firstFailedAtMs) : undefined),
    [ownHeaders.lastFailedAt]: diagnosis.attempts > 0 ? now : undefined,
    [ownHeaders.expiresAt]: message.expiresAtMs === undefined ? undefined : String(message.expiresAtMs),
    ...errorHeaders(diagnosis.error),
  };
  const headers = withinBound(withOwnHeaders(message.headers, own));
  return { ...message, headers, expiresAtMs: undefined, notBeforeMs: undefined };
}

/** The message of a letter, ready to be tried from the first attempt on. */
export function fromLetter(letter: WireMessage): WireMessage {
  const redriven = timesRedriven(letter) + 1;
  const cleared: Record<string, string | undefined> = { [ownHeaders.redriven]: String(redriven) };
  for (const name of diagnosisHeaders) cleared[name] = undefined;
  return { ...letter, attempt: 1, headers: withOwnHeaders(letter.headers, cleared), expiresAtMs: undefined, notBeforeMs: undefined };
}

export function timesRedriven({ headers }: WireMessage): number {
  return Number(headers[ownHeaders.redriven] ?? 0);
}

export function readLetter(wire: WireMessage, group: string, copies: number, encoding: Encoding): DeadLetter {
  const { headers } = wire;
  const numberOf = (name: string): number | undefined => (headers[name] === undefined ? undefined : Number(headers[name]));
  const name = headers[ownHeaders.errorName];
  return {
    id: wire.id,
    group,
    message: messageOf(wire, payloadOf(wire, encoding)),
    body: wire.body,
    reason: (headers[ownHeaders.deadReason] ?? "attempts") as DeadLetterReason,
    error:
      name === undefined
        ? undefined
        : { name, message: headers[ownHeaders.errorMessage] ?? "", code: headers[ownHeaders.errorCode], stack: headers[ownHeaders.errorStack] },
    attempts: numberOf(ownHeaders.deadAttempts) ?? wire.attempt,
    deliveries: numberOf(ownHeaders.deadDeliveries) ?? 1,
    firstFailedAtMs: numberOf(ownHeaders.firstFailedAt),
    lastFailedAtMs: numberOf(ownHeaders.lastFailedAt),
    deadAtMs: numberOf(ownHeaders.deadAt),
    copies,
    expiresAtMs: numberOf(ownHeaders.expiresAt),
  };
}

const diagnosisHeaders = [
  ownHeaders.deadReason,
  ownHeaders.deadGroup,
  ownHeaders.deadAt,
  ownHeaders.deadAttempts,
  ownHeaders.deadDeliveries,
  ownHeaders.firstFailedAt,
  ownHeaders.lastFailedAt,
  ownHeaders.expiresAt,
  ownHeaders.unmatched,
  ownHeaders.trials,
  ownHeaders.triedAt,
  ownHeaders.errorName,
  ownHeaders.errorMessage,
  ownHeaders.errorCode,
  ownHeaders.errorStack,
];

function payloadOf(wire: WireMessage, encoding: Encoding): unknown {
  try {
    return unpackPayload(wire, encoding);
  } catch {
    return undefined; // that it cannot be decoded may be why it is here; `body` and `error` tell
  }
}

function errorHeaders(error: unknown): Record<string, string | undefined> {
  if (error === undefined) return {};
  // What `nonRetryable` wraps is what the reader wants to see.
  const shown = isHalyardError(error, "NON_RETRYABLE") && error.cause !== undefined ? error.cause : error;
  const isError = shown instanceof Error;
  const code: unknown = isError && "code" in shown ? shown.code : undefined;
  return {
    [ownHeaders.errorName]: cut(isError ? textOf(shown.name) : typeof shown, 128),
    [ownHeaders.errorMessage]: cut(textOf(isError ? shown.message : shown), messageBytesMax),
    [ownHeaders.errorCode]: code === undefined ? undefined : cut(textOf(code), 128),
    [ownHeaders.errorStack]: isError && shown.stack !== undefined ? cut(textOf(shown.stack), stackBytesMax) : undefined,
  };
}

/** The user's headers may fill the bound by themselves; then diagnostics give way, the stack first. */
function withinBound(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  let result = headers;
  for (const name of [ownHeaders.errorStack, ownHeaders.errorMessage]) {
    if (bytesOf(result) <= headerBytesMax) return result;
    result = withOwnHeaders(result, { [name]: undefined });
  }
  return result;
}

function bytesOf(headers: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const name of Object.keys(headers)) bytes += name.length + Buffer.byteLength(headers[name] ?? "");
  return bytes;
}

/** At most so many bytes in UTF-8, never half a character at the end. */
function cut(text: string, bytesMax: number): string {
  const whole = text.slice(0, bytesMax).toWellFormed(); // no character takes less than a byte
  if (Buffer.byteLength(whole) <= bytesMax) return whole;
  const { read } = new TextEncoder().encodeInto(whole, new Uint8Array(bytesMax));
  return whole.slice(0, read);
}
