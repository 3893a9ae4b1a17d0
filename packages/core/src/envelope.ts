/**
 * Pure mapping between what users publish and handle (`Message`) and what backends move (`WireMessage`). No I/O, no policy.
 *
 * All wire messages are made with the same fields in the same order, also those that are `undefined`: one object shape keeps publish and
 * consume monomorphic.
 */
import type { Codec, CodecRegistry } from "./codec.ts";
import { type Compressor, type CompressorRegistry, compressed } from "./compression.ts";
import { HalyardError } from "./errors.ts";
import { deepFreeze } from "./freeze.ts";
import { headerBytesMax } from "./limits.ts";
import { type Message, noHeaders, ownHeaderPrefix, ownHeaders, type Priority, priorityDefault, priorityWords } from "./message.ts";
import type { WireMessage } from "./spi/message.ts";
import { assertMessageId, isHeaderName, shown } from "./topic.ts";

export interface PublishOptions {
  /** `[A-Za-z0-9._:/-]{1,128}`. Default: a UUIDv7. Give one to make repeated publishes one message, where the broker deduplicates. */
  readonly id?: string;
  /** What kind of message this is, for people and other languages. */
  readonly type?: string;
  /** Names `[a-z0-9_-]{1,64}` not beginning with `halyard-`, values any Unicode; 32 KiB together. */
  readonly headers?: Readonly<Record<string, string>>;
  /** 0 (last) to 9 (first) or a word. Default 4, "normal". */
  readonly priority?: Priority;
  /** Not handled later than this after publishing, milliseconds. Default: never expires. */
  readonly ttlMs?: number;
  /** Not handled earlier than this after publishing, milliseconds. */
  readonly delayMs?: number;
  /** Messages of one key are handled in order by `ordered` subscriptions. */
  readonly key?: string;
  /** Common to all messages of one conversation. `context.publish` takes it over from the message that is being handled. */
  readonly correlationId?: string;
  /** Id of the message that led to this one. `context.publish` writes it. */
  readonly causationId?: string;
  /** Name of the group whose inbox takes answers. */
  readonly replyTo?: string;
  /** Handler runs in all, instead of the subscription's `retry.attemptsMax`. */
  readonly attemptsMax?: number;
  /** False: may be lost when the broker restarts, where it can tell such messages apart. Default true. */
  readonly persistent?: boolean;
  /** Gives up waiting for acceptance. */
  readonly signal?: AbortSignal;
  /** Instead of `limits.publishTimeoutMs`. */
  readonly timeoutMs?: number;
  /** Ask for the broker's position in the receipt. */
  readonly position?: boolean;
}

export const publishOptionNames: ReadonlySet<string> = new Set([
  "id",
  "type",
  "headers",
  "priority",
  "ttlMs",
  "delayMs",
  "key",
  "correlationId",
  "causationId",
  "replyTo",
  "attemptsMax",
  "persistent",
  "signal",
  "timeoutMs",
  "position",
] satisfies (keyof PublishOptions)[]);

export interface Encoding {
  readonly codecs: CodecRegistry;
  readonly compressors: CompressorRegistry;
  /** For messages that go out. */
  readonly codec: Codec;
  /** For messages that go out; none: bodies stay as they are. */
  readonly compressor: Compressor | undefined;
  /** Bodies below are not compressed. */
  readonly compressionThresholdBytes: number;
  readonly bodyBytesMax: number;
}

const noBytes: Uint8Array = new Uint8Array(0);

/** What packing needs of the bus: one object for all messages. */
export interface PackContext {
  readonly encoding: Encoding;
  readonly source: string | undefined;
  readonly nextId: (nowMs: number) => string;
  /** The lower of the bus's and the broker's limit. */
  readonly bodyBytesMax: number;
  readonly carriesValues: boolean;
}

/**
 * @throws INVALID_ID, INVALID_HEADER, INVALID_OPTIONS, HEADERS_TOO_LARGE, PAYLOAD_TOO_LARGE, ENCODE_FAILED
 */
export function pack(topic: string, payload: unknown, options: PublishOptions | undefined, context: PackContext, nowMs: number): WireMessage {
  const id = options?.id === undefined ? context.nextId(nowMs) : checkedId(options.id);
  const message = new PackedMessage(topic, id, nowMs, context);
  if (options !== undefined) message.setOptions(options);
  if (context.carriesValues) message.value = new Value(deepFreeze(payload));
  else message.setBody(payload, context);
  return message;
}

/**
 * A class, not an object literal: V8 watches how long the objects of a literal live, and once a burst has waited it makes all later ones in the old
 * generation, where each keeps its payload and id alive until the next full collection (measured by reference: a sixth of all time).
 */
class PackedMessage implements WireMessage {
  readonly topic: string;
  readonly id: string;
  readonly timeMs: number;
  readonly attempt = 1;
  readonly contentType: string;
  contentEncoding: string | undefined = undefined;
  body = noBytes;
  value: Value | undefined = undefined;
  headers = noHeaders;
  priority = priorityDefault;
  persistent = true;
  key: string | undefined = undefined;
  type: string | undefined = undefined;
  readonly source: string | undefined;
  correlationId: string | undefined = undefined;
  replyTo: string | undefined = undefined;
  expiresAtMs: number | undefined = undefined;
  notBeforeMs: number | undefined = undefined;

  constructor(topic: string, id: string, timeMs: number, context: PackContext) {
    this.topic = topic;
    this.id = id;
    this.timeMs = timeMs;
    this.contentType = context.encoding.codec.contentType;
    this.source = context.source;
  }

  setOptions(options: PublishOptions): void {
    this.headers = headersOf(options);
    this.priority = priorityOf(options.priority);
    this.persistent = options.persistent ?? true;
    this.key = textOf("key", options.key);
    this.type = textOf("type", options.type);
    this.correlationId = textOf("correlationId", options.correlationId);
    this.replyTo = textOf("replyTo", options.replyTo);
    this.expiresAtMs = laterOf("ttlMs", options.ttlMs, this.timeMs);
    this.notBeforeMs = options.delayMs === 0 ? undefined : laterOf("delayMs", options.delayMs, this.timeMs);
  }

  setBody(payload: unknown, { encoding, bodyBytesMax }: PackContext): void {
    const { codec, compressor, compressionThresholdBytes } = encoding;
    const body = codec.encode(payload);
    const smaller = compressor === undefined ? undefined : compressed(compressor, body, compressionThresholdBytes);
    this.contentEncoding = smaller === undefined ? undefined : compressor?.name;
    this.body = smaller ?? body;
    if (this.body.byteLength > bodyBytesMax) throw tooLarge(this.body.byteLength, bodyBytesMax);
  }
}

/** A payload by reference; a class for the same reason. */
class Value {
  readonly payload: unknown;
  constructor(payload: unknown) {
    this.payload = payload;
  }
}

/** The payload of a wire message. @throws UNKNOWN_CODEC, UNKNOWN_COMPRESSION, DECODE_FAILED, PAYLOAD_TOO_LARGE */
export function unpackPayload(wire: WireMessage, encoding: Encoding): unknown {
  if (wire.value !== undefined) return wire.value.payload;
  let body = wire.body;
  if (body.byteLength > encoding.bodyBytesMax) throw tooLarge(body.byteLength, encoding.bodyBytesMax);
  if (wire.contentEncoding !== undefined) body = encoding.compressors.named(wire.contentEncoding).decompress(body, encoding.bodyBytesMax);
  return encoding.codecs.reading(wire.contentType).decode(body);
}

export function messageOf(wire: WireMessage, payload: unknown): Message {
  const { headers } = wire;
  return {
    id: wire.id,
    topic: wire.topic,
    payload,
    timeMs: wire.timeMs,
    headers: headers === noHeaders ? noHeaders : usersHeaders(headers),
    priority: wire.priority,
    key: wire.key,
    type: wire.type,
    source: wire.source,
    correlationId: wire.correlationId,
    causationId: headers === noHeaders ? undefined : headers[ownHeaders.causationId],
    replyTo: wire.replyTo,
    expiresAtMs: wire.expiresAtMs,
  };
}

/** Without those that core wrote for itself. */
export function usersHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const result = Object.create(null) as Record<string, string>;
  for (const name of Object.keys(headers)) if (!name.startsWith(ownHeaderPrefix)) result[name] = headers[name] ?? "";
  return result;
}

/** A copy of the headers with some of core's own set (or, with `undefined`, removed). */
export function withOwnHeaders(headers: Readonly<Record<string, string>>, own: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const result = Object.create(null) as Record<string, string>;
  for (const name of Object.keys(headers)) result[name] = headers[name] ?? "";
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined) delete result[name];
    else result[name] = value;
  }
  return result;
}

function checkedId(id: string): string {
  assertMessageId(id);
  return id;
}

function headersOf(options: PublishOptions): Readonly<Record<string, string>> {
  const { headers, causationId, attemptsMax } = options;
  if (headers === undefined && causationId === undefined && attemptsMax === undefined) return noHeaders;
  const result = Object.create(null) as Record<string, string>;
  let bytes = 0;
  for (const name of Object.keys(headers ?? {})) {
    const value: unknown = headers?.[name];
    if (!isHeaderName(name)) throw new HalyardError("INVALID_HEADER", `${shown(name)} is not a header name: use 1 to 64 of a-z 0-9 _ -.`);
    if (name.startsWith(ownHeaderPrefix))
      throw new HalyardError("INVALID_HEADER", `Header names that begin with ${ownHeaderPrefix} are Halyard's own: choose another than ${shown(name)}.`);
    if (typeof value !== "string") throw new HalyardError("INVALID_HEADER", `Header ${name} must be a string, not ${shown(value)}.`);
    if (!value.isWellFormed()) throw new HalyardError("INVALID_HEADER", `Header ${name} holds half a surrogate pair, which no encoding can carry.`);
    bytes += name.length + Buffer.byteLength(value);
    result[name] = value;
  }
  if (bytes > headerBytesMax) {
    throw new HalyardError("HEADERS_TOO_LARGE", `The headers take ${bytes} bytes together, ${headerBytesMax} at most: put large data into the payload.`, {
      details: { bytes, bytesMax: headerBytesMax },
    });
  }
  if (causationId !== undefined) result[ownHeaders.causationId] = textOf("causationId", causationId) ?? "";
  if (attemptsMax !== undefined) {
    if (!Number.isInteger(attemptsMax) || attemptsMax < 1) throw new HalyardError("INVALID_OPTIONS", "attemptsMax must be a whole number from 1.");
    result[ownHeaders.attemptsMax] = String(attemptsMax);
  }
  return result;
}

function priorityOf(priority: Priority | undefined): number {
  if (priority === undefined) return priorityDefault;
  const level = typeof priority === "string" ? priorityWords[priority] : priority;
  if (Number.isInteger(level) && level >= 0 && level <= 9) return level;
  throw new HalyardError("INVALID_OPTIONS", `priority must be a whole number from 0 to 9 or one of low, normal, high, critical, not ${shown(priority)}.`);
}

/** Longest text of a property: they travel in native properties, of which AMQP's short strings take 255 bytes. */
const propertyBytesMax = 255;

function textOf(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (typeof text === "string" && text.isWellFormed() && Buffer.byteLength(text) <= propertyBytesMax) return text;
  throw new HalyardError("INVALID_OPTIONS", `${name} must be a string of at most ${propertyBytesMax} bytes in UTF-8.`);
}

function laterOf(name: string, spanMs: number | undefined, nowMs: number): number | undefined {
  if (spanMs === undefined) return undefined;
  if (Number.isFinite(spanMs) && spanMs >= 0) return Math.ceil(nowMs + spanMs);
  throw new HalyardError("INVALID_OPTIONS", `${name} must be a number of milliseconds from 0.`);
}

function tooLarge(bytes: number, bytesMax: number): HalyardError {
  return new HalyardError(
    "PAYLOAD_TOO_LARGE",
    `The encoded body takes ${bytes} bytes, ${bytesMax} at most here: send a reference to the data instead, or raise limits.bodyBytesMax and the broker's own limit.`,
    { details: { bytes, bytesMax } },
  );
}
