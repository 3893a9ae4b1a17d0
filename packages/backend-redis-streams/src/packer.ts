/**
 * Writes the one argument in which a batch travels to a script: MessagePack, which Redis' Lua unpacks in C. One large argument costs the server and
 * the client far less than a thousand small ones. Lua has one kind of string for text and bytes, so both are written as `str`; lengths always take
 * four bytes, so that they can be filled in afterwards.
 */

const array32 = 0xdd;
const string32 = 0xdb;
const number32 = 0xce;
const headBytes = 5;
const bytesMin = 16 * 1024;
/** UTF-8 needs at most three bytes for one UTF-16 unit. */
const bytesPerUnit = 3;

export class Packer {
  #bytes: Buffer = Buffer.allocUnsafe(bytesMin);
  #end = 0;

  /** Begins anew: what was packed before failed in the middle. */
  clear(): void {
    this.#end = 0;
  }

  /** An array of `length` values follows. */
  array(length: number): void {
    this.#head(array32, length);
  }

  text(value: string): void {
    this.#reserve(headBytes + value.length * bytesPerUnit);
    const start = this.#end + headBytes;
    const written = this.#bytes.write(value, start, "utf8");
    this.#head(string32, written);
    this.#end += written;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(headBytes + value.byteLength);
    this.#head(string32, value.byteLength);
    this.#bytes.set(value, this.#end);
    this.#end += value.byteLength;
  }

  /** What was packed before, as it is. */
  raw(packed: Uint8Array): void {
    this.#reserve(packed.byteLength);
    this.#bytes.set(packed, this.#end);
    this.#end += packed.byteLength;
  }

  /** Begins a string whose content is packed itself. Returns what `endNested` wants. */
  beginNested(): number {
    this.#head(string32, 0);
    return this.#end;
  }

  endNested(start: number): void {
    this.#bytes.writeUInt32BE(this.#end - start, start - 4);
  }

  /** Begins an array whose length is not known yet. Returns what `endArray` wants. */
  beginArray(): number {
    this.#head(array32, 0);
    return this.#end;
  }

  endArray(start: number, length: number): void {
    this.#bytes.writeUInt32BE(length, start - 4);
  }

  /** Begins a number that is not known yet. Returns what `endNumber` wants. */
  beginNumber(): number {
    this.#head(number32, 0);
    return this.#end;
  }

  endNumber(start: number, value: number): void {
    this.#bytes.writeUInt32BE(value, start - 4);
  }

  /** All that was written, and begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#end));
    this.#end = 0;
    if (this.#bytes.byteLength > 64 * bytesMin) this.#bytes = Buffer.allocUnsafe(bytesMin);
    return taken;
  }

  #head(type: number, length: number): void {
    this.#reserve(headBytes);
    this.#bytes[this.#end] = type;
    this.#bytes.writeUInt32BE(length, this.#end + 1);
    this.#end += headBytes;
  }

  #reserve(count: number): void {
    const needed = this.#end + count;
    if (needed <= this.#bytes.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.byteLength * 2));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}

/** A text packed once, for what is written again and again. */
export function packedText(value: string): Uint8Array {
  const packer = new Packer();
  packer.text(value);
  return packer.take();
}

/** Reads the flat array of strings that a live copy is. Undefined where it is none: anybody may publish on a channel. */
export function unpackStrings(bytes: Buffer): Buffer[] | undefined {
  if (bytes.byteLength < 1) return undefined;
  const found: Buffer[] = [];
  let at = 0;
  const take = (count: number): number => {
    at += count;
    return at - count;
  };
  try {
    const type = bytes.readUInt8(take(1));
    const length = type === array32 ? bytes.readUInt32BE(take(4)) : type === 0xdc ? bytes.readUInt16BE(take(2)) : (type & 0xf0) === 0x90 ? type & 0x0f : -1;
    if (length < 0 || length > bytes.byteLength) return undefined;
    for (let index = 0; index < length; index++) {
      const size = stringSize(bytes, take);
      if (size < 0 || at + size > bytes.byteLength) return undefined;
      found.push(bytes.subarray(at, at + size));
      at += size;
    }
  } catch {
    return undefined; // it ended in the middle
  }
  return found;
}

/** Also the short forms and `bin`: other programs' libraries write those. */
function stringSize(bytes: Buffer, take: (count: number) => number): number {
  const type = bytes.readUInt8(take(1));
  if ((type & 0xe0) === 0xa0) return type & 0x1f;
  if (type === 0xd9 || type === 0xc4) return bytes.readUInt8(take(1));
  if (type === 0xda || type === 0xc5) return bytes.readUInt16BE(take(2));
  if (type === string32 || type === 0xc6) return bytes.readUInt32BE(take(4));
  return -1;
}
