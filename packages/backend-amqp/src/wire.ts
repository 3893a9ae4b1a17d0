/**
 * A wire message as AMQP properties and headers, and back. Native properties are used for what they are for; what AMQP has no property for goes into
 * headers named `halyard-…`. A field at its default is not written.
 *
 * Reading takes what comes: any program may publish here, so nothing on the way in may throw or be trusted.
 */
import { createHash } from "node:crypto";
import { noHeaders, type WireMessage } from "@halyard/core/spi";
import type { Message, MessageProperties, Options } from "amqplib";
import { headerOf, isReserved, readHeaders, writtenName } from "./wire-headers.ts";

/** Names of what has no property in AMQP; never renamed, other languages read them. */
export const names = {
  topic: "halyard-topic",
  attempt: "halyard-attempt",
  key: "halyard-key",
  expires: "halyard-expires",
  notBefore: "halyard-not-before",
  /** When the wait is over that a copy is passing the ladder for, where it takes several passes. */
  due: "halyard-due",
  /** Milliseconds, as other libraries call it: the `timestamp` property counts seconds. Not written where the message id tells it. */
  timestampMs: "timestamp_in_ms",
} as const;

const contentTypeDefault = "application/json";
const priorityDefault = 4;
const persistentMode = 2;
const transientMode = 1;

/** How messages are written for one kind of queue. */
export interface WriteOptions {
  /** Queues with `x-max-priority` take a missing priority for the lowest, so the default must be said. */
  readonly saysPriority: boolean;
}

/** What goes beside the message's own fields. */
export interface Extra {
  /** The topic, where the routing key does not say it. */
  readonly topic?: string;
  readonly dueMs?: number;
  /** Instead of the message's own id. */
  readonly id?: string;
}

export function toOptions(message: WireMessage, { saysPriority }: WriteOptions, extra: Extra | undefined): Options.Publish {
  const { id, timeMs, contentEncoding, priority, persistent, correlationId, replyTo, type, source } = message;
  const options: Options.Publish = { messageId: extra?.id ?? id, contentType: message.contentType, deliveryMode: persistent ? persistentMode : transientMode };
  if (timeMs >= 0) options.timestamp = Math.floor(timeMs / 1_000);
  if (contentEncoding !== undefined) options.contentEncoding = contentEncoding;
  if (saysPriority || priority !== priorityDefault) options.priority = priority;
  if (correlationId !== undefined) options.correlationId = correlationId;
  if (replyTo !== undefined) options.replyTo = replyTo;
  if (type !== undefined) options.type = type;
  if (source !== undefined) options.appId = source;
  const headers = toHeaders(message, options.messageId ?? id, extra);
  if (headers !== undefined) options.headers = headers;
  return options;
}

function toHeaders(message: WireMessage, id: string, extra: Extra | undefined): Record<string, string | number> | undefined {
  const { headers, timeMs, attempt, key, expiresAtMs, notBeforeMs } = message;
  const needsTime = !isToldBy(id, timeMs);
  const isBare = headers === noHeaders && extra === undefined && attempt === 1 && key === undefined && expiresAtMs === undefined && notBeforeMs === undefined;
  if (isBare && !needsTime) return undefined;
  // No prototype: a header may have any name, `__proto__` too.
  const written = Object.create(null) as Record<string, string | number>;
  if (headers !== noHeaders) for (const name of Object.keys(headers)) written[writtenName(name)] = headers[name] as string; // its own keys
  if (needsTime) written[names.timestampMs] = timeMs;
  if (attempt !== 1) written[names.attempt] = String(attempt);
  if (key !== undefined) written[names.key] = key;
  if (expiresAtMs !== undefined) written[names.expires] = String(expiresAtMs);
  if (notBeforeMs !== undefined) written[names.notBefore] = String(notBeforeMs);
  if (extra?.topic !== undefined) written[names.topic] = extra.topic;
  if (extra?.dueMs !== undefined) written[names.due] = String(extra.dueMs);
  return written;
}

export function toBuffer(body: Uint8Array): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

/** `nowMs`: for messages that do not say when they were published. */
export function fromMessage({ content, fields, properties }: Message, nowMs: () => number): WireMessage {
  const raw = properties.headers;
  const id = readId(properties, fields.routingKey, content);
  const hasHeaders = raw !== undefined && hasKeys(raw);
  return {
    topic: (hasHeaders ? wordOf(headerOf(raw, names.topic)) : undefined) ?? fields.routingKey,
    id,
    timeMs: readTime(properties, hasHeaders ? headerOf(raw, names.timestampMs) : undefined, id) ?? nowMs(),
    attempt: (hasHeaders ? countOf(headerOf(raw, names.attempt)) : undefined) ?? 1,
    contentType: wordOf(properties.contentType) ?? contentTypeDefault,
    contentEncoding: wordOf(properties.contentEncoding),
    body: content,
    headers: hasHeaders ? readHeaders(raw, isOwn) : noHeaders,
    priority: readPriority(properties.priority),
    persistent: properties.deliveryMode !== transientMode,
    key: hasHeaders ? textOf(headerOf(raw, names.key)) : undefined,
    type: textOf(properties.type),
    source: textOf(properties.appId),
    correlationId: textOf(properties.correlationId),
    replyTo: textOf(properties.replyTo),
    expiresAtMs: hasHeaders ? numberOf(headerOf(raw, names.expires)) : undefined,
    notBeforeMs: hasHeaders ? numberOf(headerOf(raw, names.notBefore)) : undefined,
  };
}

/** When the copy's wait is over, where it is still in the middle of the ladder's passes. */
export function dueMsOf({ properties: { headers } }: Message): number | undefined {
  return headers === undefined ? undefined : numberOf(headerOf(headers, names.due));
}

/** Earlier hand-overs of this copy; quorum queues count them. The sender may have written a count of its own, which stands beside the broker's. */
export function deliveriesBefore({ fields: { redelivered }, properties: { headers } }: Message): number {
  if (headers === undefined || !redelivered) return 0;
  const count = headers["x-delivery-count"] as unknown;
  return typeof count === "number" && Number.isFinite(count) && count > 0 ? Math.floor(count) : 0;
}

const own: ReadonlySet<string> = new Set(Object.values(names));
const isOwn = (name: string): boolean => own.has(name) || isReserved(name);

function hasKeys(headers: object): boolean {
  for (const _ in headers) return true;
  return false;
}

const idForm = /^[A-Za-z0-9._:/-]{1,128}$/;

/**
 * RabbitMQ gives messages no position, so what has no usable id is named by what it is: the same at every redelivery. Two messages with the same
 * content share that name; `isGuessedId` tells, so that copies made of them are kept apart.
 */
function readId(properties: MessageProperties, routingKey: string, content: Buffer): string {
  const id: unknown = properties.messageId;
  if (typeof id === "string" && idForm.test(id)) return id;
  const hash = createHash("sha256").update(JSON.stringify([textOf(id), routingKey, numberOf(properties.timestamp), textOf(properties.correlationId)]));
  return `foreign-${hash.update(content).digest("base64url").slice(0, 22)}`;
}

export function isGuessedId({ properties: { messageId } }: Message): boolean {
  return !(typeof messageId === "string" && idForm.test(messageId));
}

/** Seconds would only be so large in the year 5138: whoever wrote that meant milliseconds. */
const secondsMax = 100_000_000_000;

function readTime({ timestamp }: MessageProperties, inMs: unknown, id: string): number | undefined {
  const exact = numberOf(inMs);
  if (exact !== undefined) return exact;
  const seconds = numberOf(timestamp);
  if (seconds === undefined) return undefined;
  if (seconds > secondsMax) return seconds;
  const ofId = timeOfId(id);
  return ofId !== undefined && Math.floor(ofId / 1_000) === seconds ? ofId : seconds * 1_000;
}

/** Whether the id and the `timestamp` alone tell this time: see `readTime`. */
function isToldBy(id: string, timeMs: number): boolean {
  const ofId = timeOfId(id);
  if (ofId === timeMs) return true;
  const isWhole = timeMs >= 0 && timeMs % 1_000 === 0 && timeMs / 1_000 <= secondsMax;
  return isWhole && (ofId === undefined || Math.floor(ofId / 1_000) !== timeMs / 1_000);
}

let lastPrefix = "";
let lastMs = 0;

/** Milliseconds in a UUIDv7, whose ids core makes; a thousand messages a second share few of them, so the last is remembered. */
export function timeOfId(id: string): number | undefined {
  if (id.length !== 36 || id.charCodeAt(14) !== 55 || id.charCodeAt(8) !== 45 || id.charCodeAt(13) !== 45) return undefined;
  const prefix = id.slice(0, 13);
  if (prefix === lastPrefix) return lastMs;
  const text = prefix.slice(0, 8) + prefix.slice(9);
  if (!/^[0-9a-f]{12}$/.test(text)) return undefined;
  lastPrefix = prefix;
  lastMs = Number.parseInt(text, 16);
  return lastMs;
}

function readPriority(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? Math.min(9, Math.max(0, Math.floor(value))) : priorityDefault;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** As `textOf`; where an empty text can only mean none. */
function wordOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function countOf(value: unknown): number | undefined {
  const number = numberOf(value);
  return number !== undefined && Number.isSafeInteger(number) && number >= 1 ? number : undefined;
}
