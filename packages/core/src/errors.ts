/**
 * Every error that Halyard makes. Codes are stable: never renamed, reused or widened. Users act on `code`; messages are for people and say
 * what to do next.
 */
export type ErrorCode =
  /** A topic outside the grammar: 1–255 bytes, at most 16 words of `[A-Za-z0-9_-]` joined by single dots. */
  | "INVALID_TOPIC"
  /** A pattern outside the grammar: a topic whose words may also be `*` or `#`. */
  | "INVALID_PATTERN"
  /** A group name outside `[A-Za-z0-9_-]{1,64}`. */
  | "INVALID_GROUP"
  /** A namespace outside `[a-z0-9-]{1,32}`. */
  | "INVALID_NAMESPACE"
  /** A message id outside `[A-Za-z0-9._:/-]{1,128}`. */
  | "INVALID_ID"
  /** A header name outside `[a-z0-9_-]{1,64}`, or a value that is not a string. */
  | "INVALID_HEADER"
  /** An option of the wrong type, out of range or in conflict with another. */
  | "INVALID_OPTIONS"
  /** The payload does not fit the topic's schema. Never retried. */
  | "INVALID_PAYLOAD"
  /** Encoded body above the limit of this bus or broker. */
  | "PAYLOAD_TOO_LARGE"
  /** Headers above 32 KiB together. */
  | "HEADERS_TOO_LARGE"
  /** The codec could not encode the payload. */
  | "ENCODE_FAILED"
  /** The body could not be decoded or decompressed. Never retried. */
  | "DECODE_FAILED"
  /** The message names a content type that no codec of this bus reads. Never retried. */
  | "UNKNOWN_CODEC"
  /** The message names a content encoding that no compressor of this bus reads. Never retried. */
  | "UNKNOWN_COMPRESSION"
  /** The broker cannot be reached, or the connection broke. Retryable. */
  | "CONNECT_FAILED"
  /** The session ended under a call. Retryable. */
  | "CONNECTION_LOST"
  /** Wrong credentials. Not retried. */
  | "AUTH_FAILED"
  /** The credentials are right but do not permit this. Not retried. */
  | "NOT_AUTHORIZED"
  /** The peer's certificate was not accepted, or the peer did not accept ours. Not retried. */
  | "TLS_FAILED"
  /** The peer speaks another protocol or version of it. Not retried. */
  | "PROTOCOL_ERROR"
  /** The broker or this bus has no room now; the message was certainly not stored. Retryable. */
  | "BACKPRESSURE"
  /** The deadline passed and nobody knows whether the message was stored. Repeating it under the same id is safe where the broker deduplicates. */
  | "PUBLISH_UNKNOWN"
  /** The broker refused the message for good. */
  | "PUBLISH_REFUSED"
  /** Some messages of a batch were not accepted; `details.results` has one entry a message. */
  | "BATCH_INCOMPLETE"
  /** The same id was published before with another body. */
  | "ID_REUSED"
  /** A call did not finish within its deadline. */
  | "TIMEOUT"
  /** The caller's signal aborted. */
  | "ABORTED"
  /** The bus, subscription or session is closed. */
  | "CLOSED"
  /** This backend or broker cannot do what was asked. */
  | "UNSUPPORTED"
  /** The group has members on this bus that state other patterns, or another wish for `exclusive`. */
  | "GROUP_CONFLICT"
  /** The group was removed; its members stop. */
  | "GROUP_REMOVED"
  /** No group of that name. */
  | "NO_SUCH_GROUP"
  /** Somebody else does this already (one dead-letter walk a group). Retryable. */
  | "BUSY"
  /** The handler ran longer than `handlerTimeoutMs`. */
  | "HANDLER_TIMEOUT"
  /** The lease lapsed before the delivery was settled; another member may have it. */
  | "LEASE_LOST"
  /** What a handler threw with `nonRetryable`: straight to the dead letters. */
  | "NON_RETRYABLE"
  /** Neither of the above; the native error is the `cause`. */
  | "BACKEND_FAILED";

export interface HalyardErrorOptions {
  readonly cause?: unknown;
  /** Overrides the default of the code. */
  readonly retryable?: boolean;
  /** Plain data for programs; never passwords. */
  readonly details?: Readonly<Record<string, unknown>>;
}

const retryableCodes: ReadonlySet<ErrorCode> = new Set([
  "CONNECT_FAILED",
  "CONNECTION_LOST",
  "BACKPRESSURE",
  "PUBLISH_UNKNOWN",
  "TIMEOUT",
  "BUSY",
  "HANDLER_TIMEOUT",
  "LEASE_LOST",
]);

/** Recognised by brand, not by `instanceof`: two copies of core may be installed. */
const brand: unique symbol = Symbol.for("halyard.error") as never;

export class HalyardError extends Error {
  override readonly name = "HalyardError";
  readonly code: ErrorCode;
  /** Whether doing the same again later can work. */
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, options: HalyardErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = options.retryable ?? retryableCodes.has(code);
    this.details = options.details ?? {};
  }
}

/**
 * Whether something thrown is Halyard's, and has that code if one is given.
 *
 * @example
 * if (isHalyardError(error, "BACKPRESSURE")) await later();
 */
export function isHalyardError(error: unknown, code?: ErrorCode): error is HalyardError {
  return typeof error === "object" && error !== null && brand in error && (code === undefined || (error as HalyardError).code === code);
}

/** Wraps what a handler throws, so that it is not retried but dead-lettered at once. */
export function nonRetryable(cause: unknown): HalyardError {
  return new HalyardError("NON_RETRYABLE", cause instanceof Error ? cause.message : textOf(cause), { cause });
}

/** The text of what was thrown. Anything may be thrown, also what has no text and makes `String` throw. */
export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
