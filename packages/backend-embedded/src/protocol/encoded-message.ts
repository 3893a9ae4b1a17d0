/**
 * A message as the server keeps it: its bytes, and only those fields read that routing needs. The rest is read when somebody asks, which on the
 * way from a publisher to a consumer nobody does; the bytes go out as they came in.
 */
import { noHeaders, type WireMessage } from "@halyard/core/spi";
import { contentTypeDefault, fixedBytes, has, textFlags } from "./message-layout.ts";
import type { Page } from "./pages.ts";
import { latin1At, utf8At } from "./text-bytes.ts";

export class EncodedMessage implements WireMessage {
  readonly topic: string;
  readonly id: string;
  readonly priority: number;
  readonly attempt: number;
  readonly expiresAtMs: number | undefined;
  readonly notBeforeMs: number | undefined;
  /** The message lies in `page` from `start` (its length field) to `end`. */
  readonly page: Page;
  readonly start: number;
  readonly end: number;
  readonly #flags: number;
  /** Where the optional texts begin. */
  readonly #textsStart: number;
  readonly #bodyStart: number;
  #headers: Readonly<Record<string, string>> | undefined;

  constructor(skeleton: Skeleton, page: Page, start: number) {
    const shift = start - skeleton.start;
    this.topic = skeleton.topic;
    this.id = skeleton.id;
    this.priority = skeleton.priority;
    this.attempt = skeleton.attempt;
    this.expiresAtMs = skeleton.expiresAtMs;
    this.notBeforeMs = skeleton.notBeforeMs;
    this.page = page;
    this.start = start;
    this.end = skeleton.end + shift;
    this.#flags = skeleton.flags;
    this.#textsStart = skeleton.textsStart + shift;
    this.#bodyStart = skeleton.bodyStart + shift;
    this.#headers = (skeleton.flags & has.headers) === 0 ? noHeaders : undefined;
  }

  get timeMs(): number {
    return this.page.view.getFloat64(this.start + 4 + fixedBytes - 8);
  }

  get persistent(): boolean {
    return (this.#flags & has.notPersistent) === 0;
  }

  get contentType(): string {
    return this.#text(has.contentType) ?? contentTypeDefault;
  }

  get contentEncoding(): string | undefined {
    return this.#text(has.contentEncoding);
  }

  get key(): string | undefined {
    return this.#text(has.key);
  }

  get type(): string | undefined {
    return this.#text(has.type);
  }

  get source(): string | undefined {
    return this.#text(has.source);
  }

  get correlationId(): string | undefined {
    return this.#text(has.correlationId);
  }

  get replyTo(): string | undefined {
    return this.#text(has.replyTo);
  }

  get headers(): Readonly<Record<string, string>> {
    this.#headers ??= readHeaders(this.page.bytes, skipTexts(this.page.bytes, this.#textsStart, this.#flags & textFlags));
    return this.#headers;
  }

  get body(): Uint8Array {
    return this.page.bytes.subarray(this.#bodyStart, this.end);
  }

  /** Length of the body; asking for it makes no view of the bytes. */
  get bodyBytes(): number {
    return this.end - this.#bodyStart;
  }

  #text(flag: number): string | undefined {
    return (this.#flags & flag) === 0
      ? undefined
      : readText(this.page.bytes, skipTexts(this.page.bytes, this.#textsStart, this.#flags & textFlags & (flag - 1)));
  }
}

/** Where the parts of a message lie, checked. One object is filled again and again while a batch is read. */
export interface Skeleton {
  start: number;
  end: number;
  flags: number;
  textsStart: number;
  bodyStart: number;
  topic: string;
  id: string;
  priority: number;
  attempt: number;
  expiresAtMs: number | undefined;
  notBeforeMs: number | undefined;
}

/** Where the text after those in `flags` begins. The lengths have been checked when the message was read. */
export function skipTexts(bytes: Buffer, start: number, flags: number): number {
  let position = start;
  for (let rest = flags; rest !== 0; rest &= rest - 1) position += 2 + bytes.readUInt16BE(position);
  return position;
}

export function readText(bytes: Buffer, position: number): string {
  const length = bytes.readUInt16BE(position);
  return utf8At(bytes, position + 2, position + 2 + length);
}

export function readHeaders(bytes: Buffer, start: number): Readonly<Record<string, string>> {
  const headers = Object.create(null) as Record<string, string>;
  let position = start + 2;
  for (let count = bytes.readUInt16BE(start); count > 0; count--) {
    const nameLength = bytes[position] ?? 0;
    const name = latin1At(bytes, position + 1, position + 1 + nameLength);
    position += 1 + nameLength;
    headers[name] = readText(bytes, position);
    position += 2 + bytes.readUInt16BE(position);
  }
  return headers;
}
