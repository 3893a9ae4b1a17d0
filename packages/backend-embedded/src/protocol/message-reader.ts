/**
 * Reads the messages of a frame. Each is checked completely before anybody sees it (lengths, topic, id, header names, numbers), so that what is read
 * lazily later cannot fail. Messages that lie side by side are copied into pages together.
 */
import { noHeaders, type WireMessage } from "@halyard/core/spi";
import { EncodedMessage, readHeaders, readText, type Skeleton, skipTexts } from "./encoded-message.ts";
import { contentTypeDefault, fixedBytes, has, knownFlags, priorityDefault, textFlags } from "./message-layout.ts";
import { type Page, Pages } from "./pages.ts";
import { latin1At } from "./text-bytes.ts";
import { TopicCache } from "./topic-cache.ts";
import { violation } from "./violation.ts";

const maxId = 128;

/** 1 for each byte that an id may have: `[A-Za-z0-9._:/-]`. */
const idBytes = new Uint8Array(256);
for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-") idBytes[character.charCodeAt(0)] = 1;
/** 1 for each byte that a header name may have: `[a-z0-9_-]`. */
const headerNameBytes = new Uint8Array(256);
for (const character of "abcdefghijklmnopqrstuvwxyz0123456789_-") headerNameBytes[character.charCodeAt(0)] = 1;

export class MessageReader {
  /** Where the last message that was read ended. */
  position = 0;
  readonly #pages = new Pages();
  readonly #topics = new TopicCache();
  readonly #skeleton: Skeleton = emptySkeleton();

  /** `count` messages from `start` on, which must end at or before `end`; as the server keeps them. @throws PROTOCOL_ERROR */
  readEncoded(bytes: Buffer, start: number, end: number, count: number): WireMessage[] {
    return this.#read(bytes, start, end, count, (page, place) => new EncodedMessage(this.#skeleton, page, place));
  }

  /** As `readEncoded`, with every field read, so that core may copy it with changes. */
  readPlain(bytes: Buffer, start: number, end: number, count: number): WireMessage[] {
    return this.#read(bytes, start, end, count, (page, place) => new PlainMessage(this.#skeleton, page, place));
  }

  #read(bytes: Buffer, start: number, end: number, count: number, make: (page: Page, place: number) => WireMessage): WireMessage[] {
    // A message takes at least its fixed part: a count that promises more than the frame holds must not allocate for it.
    if (count > (end - start) / (4 + fixedBytes)) throw violation("more messages announced than the frame holds");
    const messages: WireMessage[] = [];
    let runStart = start;
    while (messages.length < count) {
      this.#pages.prepare(4 + lengthAt(bytes, runStart, end));
      let runEnd = runStart;
      const room = this.#pages.room;
      let runCount = 0;
      while (messages.length + runCount < count) {
        const next = runEnd + 4 + lengthAt(bytes, runEnd, end);
        if (runCount > 0 && next - runStart > room) break;
        runEnd = next;
        runCount++;
        if (next - runStart > room) break;
      }
      const { page, start: pageStart } = this.#pages.store(bytes, runStart, runEnd);
      let place = pageStart;
      for (let index = 0; index < runCount; index++) {
        this.#check(page, place);
        messages.push(make(page, place));
        place = this.#skeleton.end;
      }
      runStart = runEnd;
    }
    this.position = runStart;
    return messages;
  }

  /** Checks the message at `start` of a page, whose length is known to fit, and fills the skeleton. */
  #check(page: Page, start: number): void {
    const { bytes, view } = page;
    const skeleton = this.#skeleton;
    const end = start + 4 + view.getUint32(start);
    const flags = view.getUint16(start + 4);
    const topicLength = bytes[start + 6] ?? 0;
    const idLength = bytes[start + 7] ?? 0;
    if (flags > knownFlags) throw violation("unknown flags of a message");
    if (idLength === 0 || idLength > maxId) throw violation("an id that is empty or too long");
    const time = view.getFloat64(start + 8);
    if (!Number.isFinite(time)) throw violation("a time that is not a number");
    const topicStart = (flags & 15) === 0 ? this.#defaults(start) : this.#numbers(view, flags, start, end);
    const idStart = topicStart + topicLength;
    const textsStart = idStart + idLength;
    if (textsStart > end) throw violation("a message that ends too early");
    for (let index = idStart; index < textsStart; index++) if (idBytes[bytes[index] ?? 0] === 0) throw violation("an id outside the grammar");
    skeleton.start = start;
    skeleton.end = end;
    skeleton.flags = flags;
    skeleton.topic = this.#topics.read(bytes, topicStart, topicLength);
    skeleton.id = latin1At(bytes, idStart, textsStart);
    skeleton.textsStart = textsStart;
    skeleton.bodyStart = (flags & (textFlags | has.headers)) === 0 ? textsStart : checkedTexts(page, flags, textsStart, end);
  }

  #defaults(start: number): number {
    const skeleton = this.#skeleton;
    skeleton.priority = priorityDefault;
    skeleton.attempt = 1;
    skeleton.expiresAtMs = undefined;
    skeleton.notBeforeMs = undefined;
    return start + 4 + fixedBytes;
  }

  #numbers(view: DataView, flags: number, start: number, end: number): number {
    const skeleton = this.#skeleton;
    let position = this.#defaults(start);
    const bytes = (flags & has.priority ? 1 : 0) + (flags & has.attempt ? 4 : 0) + (flags & has.expiresAt ? 8 : 0) + (flags & has.notBefore ? 8 : 0);
    if (position + bytes > end) throw violation("a message that ends too early");
    if (flags & has.priority) skeleton.priority = view.getUint8(position++);
    if (flags & has.attempt) {
      skeleton.attempt = view.getUint32(position);
      position += 4;
    }
    if (flags & has.expiresAt) {
      skeleton.expiresAtMs = view.getFloat64(position);
      position += 8;
    }
    if (flags & has.notBefore) {
      skeleton.notBeforeMs = view.getFloat64(position);
      position += 8;
    }
    const isSound = skeleton.priority <= 9 && skeleton.attempt > 0 && Number.isFinite(skeleton.expiresAtMs ?? 0) && Number.isFinite(skeleton.notBeforeMs ?? 0);
    if (!isSound) throw violation("a priority, attempt or time out of range");
    return position;
  }
}

function lengthAt(bytes: Buffer, position: number, end: number): number {
  if (position + 4 > end) throw violation("a message that ends too early");
  const length = bytes.readUInt32BE(position);
  if (length < fixedBytes || length > end - position - 4) throw violation("a message whose length does not fit its frame");
  return length;
}

/** Walks over texts and headers without reading them; returns where the body begins. */
function checkedTexts(page: Page, flags: number, start: number, end: number): number {
  const { bytes, view } = page;
  let position = start;
  for (let rest = flags & textFlags; rest !== 0; rest &= rest - 1) position = afterText(view, position, end);
  if ((flags & has.headers) === 0) return position;
  if (position + 2 > end) throw violation("headers that end too early");
  let count = view.getUint16(position);
  position += 2;
  for (; count > 0; count--) {
    const nameLength = position < end ? (bytes[position] ?? 0) : 0;
    const nameEnd = position + 1 + nameLength;
    if (nameLength === 0 || nameLength > 64 || nameEnd > end) throw violation("a header name that is empty, too long or cut off");
    for (let index = position + 1; index < nameEnd; index++) if (headerNameBytes[bytes[index] ?? 0] === 0) throw violation("a header name outside the grammar");
    position = afterText(view, nameEnd, end);
  }
  return position;
}

function afterText(view: DataView, position: number, end: number): number {
  if (position + 2 > end) throw violation("a text that ends too early");
  const next = position + 2 + view.getUint16(position);
  if (next > end) throw violation("a text that ends too early");
  return next;
}

/**
 * A message with every field read. A class, not an object literal: V8 makes the objects of a literal in the old generation once it has seen many of
 * them wait, and then each keeps its bytes until the next full collection.
 */
class PlainMessage implements WireMessage {
  readonly topic: string;
  readonly id: string;
  readonly timeMs: number;
  readonly attempt: number;
  contentType = contentTypeDefault;
  contentEncoding: string | undefined = undefined;
  readonly body: Uint8Array;
  readonly value = undefined;
  headers = noHeaders;
  readonly priority: number;
  readonly persistent: boolean;
  key: string | undefined = undefined;
  type: string | undefined = undefined;
  source: string | undefined = undefined;
  correlationId: string | undefined = undefined;
  replyTo: string | undefined = undefined;
  readonly expiresAtMs: number | undefined;
  readonly notBeforeMs: number | undefined;

  constructor(skeleton: Skeleton, { bytes, view }: Page, start: number) {
    const { flags } = skeleton;
    const shift = start - skeleton.start;
    this.topic = skeleton.topic;
    this.id = skeleton.id;
    this.timeMs = view.getFloat64(start + 8);
    this.attempt = skeleton.attempt;
    this.body = bytes.subarray(skeleton.bodyStart + shift, skeleton.end + shift);
    this.priority = skeleton.priority;
    this.persistent = (flags & has.notPersistent) === 0;
    this.expiresAtMs = skeleton.expiresAtMs;
    this.notBeforeMs = skeleton.notBeforeMs;
    if ((flags & (textFlags | has.headers)) !== 0) readTexts(this, bytes, skeleton.textsStart + shift, flags);
  }
}

/** A function, not a private method: each instance of a class with private methods is branded when it is made. */
function readTexts(message: PlainMessage, bytes: Buffer, texts: number, flags: number): void {
  const textOf = (flag: number): string | undefined =>
    (flags & flag) === 0 ? undefined : readText(bytes, skipTexts(bytes, texts, flags & textFlags & (flag - 1)));
  message.contentType = textOf(has.contentType) ?? contentTypeDefault;
  message.contentEncoding = textOf(has.contentEncoding);
  message.key = textOf(has.key);
  message.type = textOf(has.type);
  message.source = textOf(has.source);
  message.correlationId = textOf(has.correlationId);
  message.replyTo = textOf(has.replyTo);
  if ((flags & has.headers) !== 0) message.headers = readHeaders(bytes, skipTexts(bytes, texts, flags & textFlags));
}

function emptySkeleton(): Skeleton {
  return {
    start: 0,
    end: 0,
    flags: 0,
    textsStart: 0,
    bodyStart: 0,
    topic: "",
    id: "",
    priority: 0,
    attempt: 0,
    expiresAtMs: undefined,
    notBeforeMs: undefined,
  };
}
