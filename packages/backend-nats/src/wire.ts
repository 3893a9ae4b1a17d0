/**
 * Between wire messages and NATS messages: the body is the payload, all else are headers. Headers are written and read as text, in one pass each: the
 * client's own header class checks and canonicalises each name and value on its own, which costs more than sending the message.
 *
 * The server finds its own headers (`Nats-…`) by searching for the name and looking whether a line begins there, and looks at the first place only. A
 * value that contains such a name would hide the header, so Nats headers always come first.
 */
import { isMessageId, isTopic, noHeaders, type WireMessage } from "@halyard/core/spi";
import { decodeValue, encodedNames, encodeValue, mustEncode } from "./header-values.ts";

const version = "NATS/1.0\r\n";
const contentTypeDefault = "application/json";
const priorityDefault = 4;
const headerForm = /^[a-z0-9_-]{1,64}$/;
/** Characters that no line may contain as it is. Core lets none through; this is the last gate before the wire. */
const unsafe = /[\r\n]/;

/** Headers that tell where a copy comes from and when it is to go on. */
export interface CopyFields {
  /** Where the subject is not the topic's. */
  readonly topic?: string | undefined;
  /** What is still to wait, milliseconds from being stored. */
  readonly delayMs?: number | undefined;
  /** Of the group it waits for: one of the same name that is made later must not get it. */
  readonly incarnation?: string | undefined;
}

/** The header block of a message. `native` are complete lines for the server, e.g. `Nats-Msg-Id: 1\r\n`. */
export function encodeHeaders(message: WireMessage, native: string, copy: CopyFields = {}): Buffer {
  let text = `${version}${native}halyard-id: ${message.id}\r\nhalyard-time: ${message.timeMs}\r\n`;
  if (message.contentType !== contentTypeDefault) text += line("content-type", message.contentType);
  if (message.contentEncoding !== undefined) text += line("content-encoding", message.contentEncoding);
  if (message.attempt > 1) text += `halyard-attempt: ${message.attempt}\r\n`;
  if (message.priority !== priorityDefault) text += `halyard-priority: ${message.priority}\r\n`;
  if (!message.persistent) text += "halyard-persistent: 0\r\n";
  if (message.expiresAtMs !== undefined) text += `halyard-expires: ${message.expiresAtMs}\r\n`;
  if (message.notBeforeMs !== undefined) text += `halyard-not-before: ${message.notBeforeMs}\r\n`;
  if (copy.topic !== undefined) text += `halyard-topic: ${copy.topic}\r\n`;
  if (copy.delayMs !== undefined) text += `halyard-delay: ${copy.delayMs}\r\n`;
  if (copy.incarnation !== undefined) text += `halyard-incarnation: ${copy.incarnation}\r\n`;
  if (hasText(message) || message.headers !== noHeaders) text += textLines(message);
  return Buffer.from(`${text}\r\n`);
}

function hasText({ key, type, source, correlationId, replyTo }: WireMessage): boolean {
  return key !== undefined || type !== undefined || source !== undefined || correlationId !== undefined || replyTo !== undefined;
}

/** Fields and headers that may hold any text. */
function textLines({ key, type, source, correlationId, replyTo, headers }: WireMessage): string {
  const encoded: string[] = [];
  let text = "";
  const add = (name: string, value: string | undefined): void => {
    if (value === undefined) return;
    const isEncoded = mustEncode(value);
    if (isEncoded) encoded.push(name);
    text += `${name}: ${isEncoded ? encodeValue(value) : value}\r\n`;
  };
  add("halyard-key", key);
  add("halyard-type", type);
  add("halyard-source", source);
  add("halyard-correlation-id", correlationId);
  add("halyard-reply-to", replyTo);
  for (const name of Object.keys(headers)) if (headerForm.test(name)) add(name, headers[name]);
  return encoded.length === 0 ? text : `${text}${encodedNames}: ${encoded.join(",")}\r\n`;
}

function line(name: string, value: string): string {
  if (!unsafe.test(value)) return `${name}: ${value}\r\n`;
  return `${name}: ${encodeValue(value)}\r\n`;
}

export interface Decoded {
  readonly message: WireMessage;
  /** Of a copy that waits. */
  readonly delayMs: number | undefined;
  readonly incarnation: string | undefined;
}

/**
 * Never throws: whatever another program wrote becomes a message. `subjectTopic` is the topic by the subject; a copy names its own in a header. `position`
 * is the id of a message that has none, the same at every redelivery.
 */
export function decodeMessage(head: string, body: Uint8Array, subjectTopic: string, position: () => string): Decoded {
  const fields = readFields(head);
  const { id, topic } = fields;
  const message: WireMessage = {
    topic: topic !== undefined && isTopic(topic) ? topic : subjectTopic,
    id: id !== undefined && isMessageId(id) ? id : fields.nativeId !== undefined && isMessageId(fields.nativeId) ? fields.nativeId : position(),
    timeMs: fields.timeMs ?? 0,
    attempt: fields.attempt ?? 1,
    contentType: fields.contentType ?? contentTypeDefault,
    contentEncoding: fields.contentEncoding,
    body,
    headers: fields.headers ?? noHeaders,
    priority: fields.priority ?? priorityDefault,
    persistent: fields.persistent ?? true,
    key: fields.key,
    type: fields.type,
    source: fields.source,
    correlationId: fields.correlationId,
    replyTo: fields.replyTo,
    expiresAtMs: fields.expiresAtMs,
    notBeforeMs: fields.notBeforeMs,
  };
  return { message, delayMs: fields.delayMs, incarnation: fields.incarnation };
}

interface Fields {
  id?: string;
  nativeId?: string;
  topic?: string;
  timeMs?: number | undefined;
  attempt?: number | undefined;
  delayMs?: number | undefined;
  incarnation?: string;
  contentType?: string;
  contentEncoding?: string;
  priority?: number | undefined;
  persistent?: boolean;
  key?: string;
  type?: string;
  source?: string;
  correlationId?: string;
  replyTo?: string;
  expiresAtMs?: number | undefined;
  notBeforeMs?: number | undefined;
  headers?: Record<string, string>;
}

function readFields(head: string): Fields {
  const fields: Fields = {};
  const encodedAt = head.indexOf(`\r\n${encodedNames}: `);
  const encoded = encodedAt < 0 ? undefined : new Set(head.slice(encodedAt + encodedNames.length + 4, head.indexOf("\r\n", encodedAt + 2)).split(","));
  for (let from = head.indexOf("\r\n") + 2; from > 1 && from < head.length; ) {
    const end = head.indexOf("\r\n", from);
    const to = end < 0 ? head.length : end;
    const colon = head.indexOf(":", from);
    if (colon > from && colon < to) {
      const name = head.slice(from, colon);
      const value = head.slice(colon + 1, to).trim();
      setField(fields, name, encoded?.has(name) === true ? decodeValue(value) : value);
    }
    from = to + 2;
  }
  return fields;
}

function setField(fields: Fields, name: string, value: string): void {
  switch (name) {
    case "halyard-id":
      fields.id = value;
      return;
    case "halyard-time":
      fields.timeMs = wholeOf(value, 0);
      return;
    case "content-type":
      fields.contentType = value === "" ? contentTypeDefault : value;
      return;
    case "content-encoding":
      if (value !== "") fields.contentEncoding = value;
      return;
    case "Nats-Msg-Id":
      fields.nativeId = value;
      return;
    case "halyard-attempt":
      fields.attempt = wholeOf(value, 1);
      return;
    case "halyard-topic":
      fields.topic = value;
      return;
    case "halyard-delay":
      fields.delayMs = wholeOf(value, 0);
      return;
    case "halyard-incarnation":
      fields.incarnation = value;
      return;
    case "halyard-priority":
      fields.priority = priorityOf(value);
      return;
    case "halyard-persistent":
      fields.persistent = value !== "0";
      return;
    case "halyard-expires":
      fields.expiresAtMs = wholeOf(value, 0);
      return;
    case "halyard-not-before":
      fields.notBeforeMs = wholeOf(value, 0);
      return;
    case "halyard-key":
      fields.key = value;
      return;
    case "halyard-type":
      fields.type = value;
      return;
    case "halyard-source":
      fields.source = value;
      return;
    case "halyard-correlation-id":
      fields.correlationId = value;
      return;
    case "halyard-reply-to":
      fields.replyTo = value;
      return;
    case encodedNames:
      return;
    default:
      setHeader(fields, name, value);
  }
}

/** Other programs write `Traceparent` where we write `traceparent`. The server's own headers are none of the message's. */
function setHeader(fields: Fields, name: string, value: string): void {
  if (name.startsWith("Nats-")) return;
  const own = headerForm.test(name) ? name : name.toLowerCase();
  if (!headerForm.test(own)) return; // on an object without prototype every name is just a name
  fields.headers ??= Object.create(null) as Record<string, string>;
  if (own in fields.headers && own !== name) return;
  fields.headers[own] = value;
}

function wholeOf(value: string, least: number): number | undefined {
  const number = Number(value);
  return value !== "" && Number.isSafeInteger(number) && number >= least ? number : undefined;
}

function priorityOf(value: string): number | undefined {
  const priority = wholeOf(value, 0);
  return priority !== undefined && priority <= 9 ? priority : undefined;
}

/** Of one topic an id is stored once within the stream's window; the same id on another topic is another message. No topic contains a `/`. */
export const publishId = (message: WireMessage): string => `Nats-Msg-Id: ${message.id}/${message.topic}\r\n`;

/**
 * Broker-side id of a copy that Halyard makes. `move` names the very message that the copy replaces (its stream and sequence): the same move done
 * twice, because its answer was lost, is stored once, and no other move is ever taken for it.
 */
export const copyId = (message: WireMessage, group: string, move: string): string => `Nats-Msg-Id: ${message.id}/${group}/${message.attempt}/${move}\r\n`;

/** Headers that a dead letter can do without when it would not fit into a message of the server. */
const dispensable = ["halyard-error-stack", "halyard-error-message"];

/** The message, with as much of its diagnosis as fits. A letter that cannot be stored would come again for ever. */
export function withinBytes(message: WireMessage, bytesMax: number, encode: (message: WireMessage) => Buffer): Buffer {
  let headers = encode(message);
  let current = message;
  for (const name of dispensable) {
    if (headers.byteLength + message.body.byteLength <= bytesMax) return headers;
    if (current.headers[name] === undefined) continue;
    current = { ...current, headers: Object.fromEntries(Object.entries(current.headers).filter(([other]) => other !== name)) };
    headers = encode(current);
  }
  return headers;
}
