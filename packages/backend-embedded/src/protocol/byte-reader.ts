/** A cursor over the content of one frame. Every read checks its bounds; what lies outside is a violation of the protocol, never a wrong value. */

import { utf8At } from "./text-bytes.ts";
import { violation } from "./violation.ts";

export class ByteReader {
  readonly bytes: Buffer;
  position: number;
  readonly end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  get isAtEnd(): boolean {
    return this.position >= this.end;
  }

  u8(): number {
    return this.bytes[this.#take(1)] ?? 0;
  }

  u32(): number {
    return this.bytes.readUInt32BE(this.#take(4));
  }

  f64(): number {
    return this.bytes.readDoubleBE(this.#take(8));
  }

  /** Seven bits a byte, lowest first, at most 2^53 − 1. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (let index = 0; index < 8; index++) {
      const byte = this.u8();
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      factor *= 128;
    }
    throw violation("a number of more than 53 bits");
  }

  /** A difference: zigzag in a varint. */
  difference(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** One byte of length, then UTF-8. */
  text8(): string {
    const length = this.u8();
    const start = this.#take(length);
    return utf8At(this.bytes, start, start + length);
  }

  /** Four bytes of length, then UTF-8. */
  text32(): string {
    const length = this.u32();
    const start = this.#take(length);
    return utf8At(this.bytes, start, start + length);
  }

  /** All that is left, as JSON. Not a value for granted: who reads it checks each field. */
  json(): unknown {
    const text = utf8At(this.bytes, this.position, this.end);
    this.position = this.end;
    return parseJson(text);
  }

  /** @throws PROTOCOL_ERROR when something is left. */
  finish(): void {
    if (this.position < this.end) throw violation(`${this.end - this.position} bytes too many in a frame`);
  }

  #take(length: number): number {
    const start = this.position;
    if (length > this.end - start) throw violation("a frame that ends too early");
    this.position = start + length;
    return start;
  }
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw violation(`text that is not JSON (${cause instanceof Error ? cause.message.slice(0, 80) : "unknown reason"})`);
  }
}
