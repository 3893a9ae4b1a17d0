/** Writes messages into a frame. A message that was read and not changed is copied as it lies; runs of neighbours of one page go as one piece. */
import { HalyardError, noHeaders, type WireMessage } from "@halyard/core/spi";
import { EncodedMessage } from "./encoded-message.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { contentTypeDefault, fixedBytes, has, priorityDefault } from "./message-layout.ts";

const headersMax = 65_535;
/** Priority, attempt and two times. */
const numbersBytes = 21;

export function writeMessages(writer: FrameWriter, messages: readonly WireMessage[]): void {
  for (let index = 0; index < messages.length; ) index = writeRun(writer, messages, index);
}

/** Writes the message at `index`, and with it those after it that lie right behind it in the same page. Returns the index after them. */
function writeRun(writer: FrameWriter, messages: readonly WireMessage[], index: number): number {
  const first = messages[index];
  if (!(first instanceof EncodedMessage)) {
    if (first !== undefined) writePlain(writer, first);
    return index + 1;
  }
  let end = first.end;
  let next = index + 1;
  for (; next < messages.length; next++) {
    const message = messages[next];
    if (!(message instanceof EncodedMessage) || message.page !== first.page || message.start !== end) break;
    end = message.end;
  }
  writer.raw(first.page.bytes, first.start, end);
  return next;
}

export function writeMessage(writer: FrameWriter, message: WireMessage): void {
  if (message instanceof EncodedMessage) writer.raw(message.page.bytes, message.start, message.end);
  else writePlain(writer, message);
}

/** At most how many bytes the message takes: exact for what was read, an upper bound otherwise. */
export function messageBytesMax(message: WireMessage): number {
  if (message instanceof EncodedMessage) return message.end - message.start;
  const { headers } = message;
  let characters =
    textRoom(message.contentEncoding) + textRoom(message.key) + textRoom(message.type) + textRoom(message.source) + textRoom(message.correlationId);
  characters += textRoom(message.replyTo) + (message.contentType === contentTypeDefault ? 0 : textRoom(message.contentType));
  for (const name in headers) characters += 3 + name.length * 3 + (headers[name]?.length ?? 0) * 3;
  return 4 + fixedBytes + numbersBytes + 2 + message.topic.length * 3 + message.id.length * 3 + characters + message.body.byteLength;
}

function textRoom(text: string | undefined): number {
  return text === undefined ? 0 : 2 + text.length * 3;
}

/** The room for all of it is made first, so that nothing moves while it is written. On an error the message is taken back. */
function writePlain(writer: FrameWriter, message: WireMessage): void {
  writer.reserve(messageBytesMax(message));
  const start = writer.position;
  try {
    writer.position = start + 4 + fixedBytes;
    const flags = writeNumbers(writer, message) | (message.persistent ? 0 : has.notPersistent);
    const topicBytes = writer.characters(message.topic);
    const idBytes = writer.characters(message.id);
    if (topicBytes > 255 || idBytes > 255) throw new HalyardError("INVALID_TOPIC", "A topic or id is longer than 255 bytes and cannot be sent.");
    const allFlags = flags | writeTexts(writer, message) | writeHeaders(writer, message.headers);
    writer.raw(message.body, 0, message.body.byteLength);
    writer.view.setUint32(start, writer.position - start - 4);
    writer.view.setUint16(start + 4, allFlags);
    writer.bytes[start + 6] = topicBytes;
    writer.bytes[start + 7] = idBytes;
    writer.view.setFloat64(start + 8, message.timeMs);
  } catch (error) {
    writer.position = start;
    throw error;
  }
}

function writeNumbers(writer: FrameWriter, message: WireMessage): number {
  let flags = 0;
  if (message.priority !== priorityDefault) {
    flags |= has.priority;
    writer.u8(message.priority);
  }
  if (message.attempt !== 1) {
    flags |= has.attempt;
    writer.u32(message.attempt);
  }
  if (message.expiresAtMs !== undefined) {
    flags |= has.expiresAt;
    writer.f64(message.expiresAtMs);
  }
  if (message.notBeforeMs !== undefined) {
    flags |= has.notBefore;
    writer.f64(message.notBeforeMs);
  }
  return flags;
}

function writeTexts(writer: FrameWriter, message: WireMessage): number {
  let flags = message.contentType === contentTypeDefault ? 0 : writeText(writer, has.contentType, message.contentType);
  flags |= writeText(writer, has.contentEncoding, message.contentEncoding);
  flags |= writeText(writer, has.key, message.key);
  flags |= writeText(writer, has.type, message.type);
  flags |= writeText(writer, has.source, message.source);
  flags |= writeText(writer, has.correlationId, message.correlationId);
  return flags | writeText(writer, has.replyTo, message.replyTo);
}

function writeText(writer: FrameWriter, flag: number, text: string | undefined): number {
  if (text === undefined) return 0;
  writer.text16(text);
  return flag;
}

function writeHeaders(writer: FrameWriter, headers: Readonly<Record<string, string>>): number {
  if (headers === noHeaders) return 0;
  let count = 0;
  const start = writer.position;
  for (const name in headers) {
    if (count === 0) writer.position += 2;
    writer.text8(name);
    writer.text16(headers[name] ?? "");
    count++;
  }
  if (count === 0) return 0;
  if (count > headersMax) throw new HalyardError("HEADERS_TOO_LARGE", `A message has ${count} headers, ${headersMax} at most can be sent.`);
  writer.view.setUint16(start, count);
  return has.headers;
}
