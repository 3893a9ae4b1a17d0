/**
 * A message as fields of a stream entry, and back. `body` is the payload and nothing else; a field at its default is not written: every field costs
 * Redis and both clients as much as a short payload. Headers stand under their own names; one that has the name of a field stands behind `header:`, which no header name can contain.
 *
 * Anybody can add entries, so reading never throws: what makes no sense is taken for missing.
 */
import { isMessageId, isTopic, noHeaders, type WireMessage } from "@halyard/core/spi";
import { type Packer, packedText } from "./packer.ts";

/** Names of fields. They are part of the wire format: programs in other languages read them, so they are never renamed. */
export const fields = {
  body: "body",
  id: "halyard-id",
  topic: "halyard-topic",
  timeMs: "halyard-time",
  attempt: "halyard-attempt",
  contentType: "content-type",
  contentEncoding: "content-encoding",
  priority: "halyard-priority",
  persistent: "halyard-persistent",
  key: "halyard-key",
  type: "halyard-type",
  source: "halyard-source",
  correlationId: "halyard-correlation-id",
  replyTo: "halyard-reply-to",
  expiresAtMs: "halyard-expires",
  notBeforeMs: "halyard-not-before",
  moreHeaders: "halyard-headers",
} as const;

const fieldNames: ReadonlySet<string> = new Set(Object.values(fields));
const headerPrefix = "header:";
const contentTypeDefault = "application/json";
const priorityDefault = 4;
/** Lua hands at most 8,000 values to one command; headers beyond this number travel together, as JSON in one field. */
const plainHeadersMax = 2_000;

const packed = Object.fromEntries(Object.entries(fields).map(([name, text]) => [name, packedText(text)])) as Record<keyof typeof fields, Uint8Array>;

/** Appends the entry's fields as one array. */
export function packMessage(packer: Packer, message: WireMessage): void {
  const start = packer.beginArray();
  packer.endArray(start, packFields(packer, message));
}

/** Appends the entry's fields, name and value in turn: body, id and topic first, where the publish script looks for them. Returns how many values. */
export function packFields(packer: Packer, message: WireMessage): number {
  let count = 6;
  packer.raw(packed.body);
  packer.bytes(message.body);
  packer.raw(packed.id);
  packer.text(message.id);
  packer.raw(packed.topic);
  packer.text(message.topic);
  const add = (name: Uint8Array, value: string | undefined): void => {
    if (value === undefined) return;
    packer.raw(name);
    packer.text(value);
    count += 2;
  };
  if (message.timeMs !== timeMsOf(message.id)) add(packed.timeMs, String(message.timeMs));
  if (message.contentType !== contentTypeDefault) add(packed.contentType, message.contentType);
  if (message.attempt !== 1) add(packed.attempt, String(message.attempt));
  if (message.priority !== priorityDefault) add(packed.priority, String(message.priority));
  if (!message.persistent) add(packed.persistent, "0");
  if (message.expiresAtMs !== undefined) add(packed.expiresAtMs, String(message.expiresAtMs));
  if (message.notBeforeMs !== undefined) add(packed.notBeforeMs, String(message.notBeforeMs));
  add(packed.contentEncoding, message.contentEncoding);
  add(packed.key, message.key);
  add(packed.type, message.type);
  add(packed.source, message.source);
  add(packed.correlationId, message.correlationId);
  add(packed.replyTo, message.replyTo);
  if (message.headers !== noHeaders) count += packHeaders(packer, message.headers);
  return count;
}

function packHeaders(packer: Packer, headers: Readonly<Record<string, string>>): number {
  const names = Object.keys(headers);
  const isMany = names.length > plainHeadersMax;
  for (let index = 0; index < names.length && index < plainHeadersMax; index++) {
    const name = names[index] as string; // index < length
    packer.text(fieldNames.has(name) ? headerPrefix + name : name);
    packer.text(headers[name] ?? "");
  }
  if (!isMany) return names.length * 2;
  packer.raw(packed.moreHeaders);
  packer.text(JSON.stringify(names.slice(plainHeadersMax).map((name) => [name, headers[name]])));
  return plainHeadersMax * 2 + 2;
}

/** What an entry's fields may be besides those of a message. */
export interface EntryPlace {
  /** Id of the entry, `<milliseconds>-<number>`: the message's id and time where it has none. */
  readonly entryId: string;
  /** Topic of a message that names none. */
  readonly topic: string;
}

/** `values`: name and value in turn. Never throws. */
export function readMessage(values: readonly Buffer[], place: EntryPlace): WireMessage {
  let body: Uint8Array = noBody;
  let id: string | undefined;
  let topic: string | undefined;
  let timeMs: number | undefined;
  let attempt = 1;
  let contentType = contentTypeDefault;
  let contentEncoding: string | undefined;
  let priority = priorityDefault;
  let persistent = true;
  let key: string | undefined;
  let type: string | undefined;
  let source: string | undefined;
  let correlationId: string | undefined;
  let replyTo: string | undefined;
  let expiresAtMs: number | undefined;
  let notBeforeMs: number | undefined;
  let headers: Record<string, string> | undefined;
  for (let index = 0; index + 1 < values.length; index += 2) {
    const name = nameOf(values[index] as Buffer, index >> 1); // index < length
    const value = values[index + 1] as Buffer; // as above
    switch (name) {
      case "body":
        body = value;
        break;
      case "halyard-id":
        id = value.toString("latin1");
        break;
      case "halyard-topic":
        topic = value.toString("latin1");
        break;
      case "halyard-time":
        timeMs = wholeOf(value);
        break;
      case "halyard-attempt":
        attempt = wholeOf(value) || 1;
        break;
      case "content-type":
        contentType = value.toString() || contentTypeDefault;
        break;
      case "content-encoding":
        contentEncoding = value.toString() || undefined;
        break;
      case "halyard-priority":
        priority = Math.min(9, wholeOf(value) ?? priorityDefault);
        break;
      case "halyard-persistent":
        persistent = value.toString() !== "0";
        break;
      case "halyard-key":
        key = value.toString();
        break;
      case "halyard-type":
        type = value.toString();
        break;
      case "halyard-source":
        source = value.toString();
        break;
      case "halyard-correlation-id":
        correlationId = value.toString();
        break;
      case "halyard-reply-to":
        replyTo = value.toString();
        break;
      case "halyard-expires":
        expiresAtMs = wholeOf(value);
        break;
      case "halyard-not-before":
        notBeforeMs = wholeOf(value);
        break;
      default:
        headers ??= Object.create(null) as Record<string, string>;
        if (name === fields.moreHeaders) readMoreHeaders(value, headers);
        else addHeader(headers, name.startsWith(headerPrefix) ? name.slice(headerPrefix.length) : name, value.toString());
    }
  }
  if (id === undefined || !isMessageId(id)) id = place.entryId;
  return {
    topic: topic !== undefined && isTopic(topic) ? topic : place.topic,
    id,
    timeMs: timeMs ?? timeMsOf(id) ?? Number(place.entryId.slice(0, place.entryId.indexOf("-"))),
    attempt,
    contentType,
    contentEncoding,
    body,
    headers: headers ?? noHeaders,
    priority,
    persistent,
    key,
    type,
    source,
    correlationId,
    replyTo,
    expiresAtMs,
    notBeforeMs,
  };
}

const noBody = new Uint8Array(0);

/** What every entry of ours begins with, in this order: comparing bytes is faster than making strings of them, and leaves nothing to collect. */
const usual = [fields.body, fields.id, fields.topic].map((name) => ({ name, bytes: Buffer.from(name) }));

/** Names of fields are ASCII; whatever a foreign name holds, it becomes some text. */
function nameOf(bytes: Buffer, place: number): string {
  const expected = usual[place];
  if (expected === undefined || bytes.byteLength !== expected.bytes.byteLength) return bytes.toString("latin1");
  for (let index = 0; index < bytes.byteLength; index++) if (bytes[index] !== expected.bytes[index]) return bytes.toString("latin1");
  return expected.name;
}

/**
 * The time in an id that is a UUIDv7 (RFC 9562 section 5.7): its first twelve hexadecimal digits count milliseconds. Undefined for other ids. Ids
 * that core makes are such, and carry the message's own time, which then needs no field.
 */
export function timeMsOf(id: string): number | undefined {
  if (id.length !== 36 || id.charCodeAt(8) !== dash || id.charCodeAt(13) !== dash || id.charCodeAt(14) !== versionSeven) return undefined;
  let timeMs = 0;
  for (let index = 0; index < 13; index++) {
    if (index === 8) continue;
    const digit = digitOf(id.charCodeAt(index));
    if (digit < 0) return undefined;
    timeMs = timeMs * 16 + digit;
  }
  return timeMs;
}

const dash = 45;
const versionSeven = 55;

/** Value of a lower-case hexadecimal digit's character code, -1 where it is none. */
function digitOf(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}

/** A whole number from 0, or undefined. */
function wholeOf(value: Buffer): number | undefined {
  const text = value.toString("latin1");
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Foreign names are made lower case; what is no header name even then is left out. */
function addHeader(headers: Record<string, string>, given: string, value: string): void {
  const name = given.toLowerCase();
  if (/^[a-z0-9_-]{1,64}$/.test(name)) headers[name] = value;
}

function readMoreHeaders(value: Buffer, headers: Record<string, string>): void {
  try {
    const list: unknown = JSON.parse(value.toString());
    if (!Array.isArray(list)) return;
    for (const pair of list as unknown[]) {
      if (Array.isArray(pair) && typeof pair[0] === "string" && typeof pair[1] === "string") addHeader(headers, pair[0], pair[1]);
    }
  } catch {
    // no JSON: some other program's field of this name
  }
}
