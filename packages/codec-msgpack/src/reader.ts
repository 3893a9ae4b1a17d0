/**
 * MessagePack read by rules that a stranger's bytes cannot bend, in one pass.
 *
 * msgpackr, which writes for us, is not made to read strangers' bytes: it follows the record definitions of the sender even with `useRecords: false`
 * (up to compiling them), reads extensions that any code of the process registered, makes `RegExp`s and `Error`s, rewrites a key `__proto__`, and
 * replaces bytes that are not UTF-8. A scan in front of it that refuses all this would be a second pass; this one pass reads as fast as msgpackr alone
 * (measured, 1.1 to 1.3 µs for an event of 240 bytes, 5.1 to 5.2 for 1.9 KB of text, 14 to 18 for 1,536 fractions).
 *
 * Nothing is allocated because of a length alone: lists grow with what is read, and a length beyond the end of the bytes is refused where it stands.
 */
import { damaged } from "./errors.ts";
import { type MsgpackLimits, mapType, setType } from "./options.ts";
import { type KeyCache, readText } from "./texts.ts";
import { readTimestamp, timestampType } from "./timestamps.ts";

/** What is being read; one object a message. */
export class Reader {
  readonly #bytes: Buffer;
  readonly #limits: MsgpackLimits;
  readonly #keys: KeyCache;
  /** Of what is being read: the whole, or the inside of one extension. */
  #end: number;
  #position = 0;
  #depth = 0;
  #containers = 0;
  /** Record definitions of this message by their number; made when there is one. */
  #records: Map<number, readonly string[]> | undefined;

  constructor(bytes: Buffer, limits: MsgpackLimits, keys: KeyCache) {
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.#limits = limits;
    this.#keys = keys;
  }

  /** The one value that the bytes are. @throws DECODE_FAILED */
  readWhole(): unknown {
    const value = this.#read();
    if (this.#position < this.#end) throw damaged(`${this.#end - this.#position} bytes follow behind its end`);
    return value;
  }

  #read(): unknown {
    const token = this.#byte();
    if (token < 0x80) return token >= 0x40 && this.#records !== undefined ? this.#readRecord(token) : token;
    if (token < 0x90) return this.#readMap(token - 0x80);
    if (token < 0xa0) return this.#readList(token - 0x90);
    if (token < 0xc0) return this.#readText(token - 0xa0);
    if (token >= 0xe0) return token - 0x100;
    switch (token) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#readBytes(this.#byte());
      case 0xc5:
        return this.#readBytes(this.#uint16());
      case 0xc6:
        return this.#readBytes(this.#uint32());
      case 0xc7:
        return this.#readExtension(this.#byte());
      case 0xc8:
        return this.#readExtension(this.#uint16());
      case 0xc9:
        return this.#readExtension(this.#uint32());
      case 0xca:
        return this.#bytes.readFloatBE(this.#skip(4));
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#skip(8));
      case 0xcc:
        return this.#byte();
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        return this.#integer(this.#bytes.readBigUInt64BE(this.#skip(8)));
      case 0xd0:
        return this.#bytes.readInt8(this.#skip(1));
      case 0xd1:
        return this.#bytes.readInt16BE(this.#skip(2));
      case 0xd2:
        return this.#bytes.readInt32BE(this.#skip(4));
      case 0xd3:
        return this.#integer(this.#bytes.readBigInt64BE(this.#skip(8)));
      case 0xd4:
        return this.#readExtension(1);
      case 0xd5:
        return this.#readExtension(2);
      case 0xd6:
        return this.#readExtension(4);
      case 0xd7:
        return this.#readExtension(8);
      case 0xd8:
        return this.#readExtension(16);
      case 0xd9:
        return this.#readText(this.#byte());
      case 0xda:
        return this.#readText(this.#uint16());
      case 0xdb:
        return this.#readText(this.#uint32());
      case 0xdc:
        return this.#readList(this.#uint16());
      case 0xdd:
        return this.#readList(this.#uint32());
      case 0xde:
        return this.#readMap(this.#uint16());
      case 0xdf:
        return this.#readMap(this.#uint32());
      default:
        throw damaged(`the byte ${token} begins no value`);
    }
  }

  #readText(length: number): string {
    const start = this.#skip(length);
    return readText(this.#bytes, start, this.#position);
  }

  /** A copy: the bytes of the message may be a window into a larger buffer that others use. */
  #readBytes(length: number): Uint8Array {
    this.#count();
    const start = this.#skip(length);
    return new Uint8Array(this.#bytes.subarray(start, this.#position));
  }

  #readList(length: number): unknown[] {
    this.#enter(length);
    const list: unknown[] = [];
    if (length >= longListMin) this.#readLongList(length, list);
    else for (let index = 0; index < length; index++) list.push(this.#read());
    this.#depth--;
    return list;
  }

  /** Long lists are mostly fractions (embeddings): read here, without a call for each, they take half the time (measured). */
  #readLongList(length: number, list: unknown[]): void {
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#end);
    for (let index = 0; index < length; index++) {
      if (this.#end - this.#position >= 9 && view.getUint8(this.#position) === fractionToken) {
        list.push(view.getFloat64(this.#position + 1));
        this.#position += 9;
      } else list.push(this.#read());
    }
  }

  #readMap(length: number): Record<string, unknown> {
    this.#enter(length * 2);
    const object: Record<string, unknown> = {};
    for (let index = 0; index < length; index++) setOwn(object, this.#readKey(), this.#read());
    this.#depth--;
    return object;
  }

  /** Whole numbers become text, as JSON writes them; other kinds of keys would become something that nobody expects. */
  #readKey(): string {
    const token = this.#bytes[this.#position] ?? 0;
    if (token >= 0xa0 && token < 0xc0) {
      this.#position++;
      const start = this.#skip(token - 0xa0);
      return this.#keys.read(this.#bytes, start, this.#position);
    }
    const key = this.#read();
    if (typeof key === "string") return key;
    if (typeof key === "bigint" || Number.isInteger(key)) return String(key);
    throw damaged(`a key of a map is neither text nor a whole number`);
  }

  #readExtension(length: number): unknown {
    const type = this.#bytes.readInt8(this.#skip(1));
    this.#count();
    const start = this.#skip(length);
    if (type === timestampType) return readTimestamp(this.#bytes, start, length);
    if (type === mapType || type === setType) return this.#readInside(start, type);
    if (type === recordType && this.#limits.hasRecords && length <= 2) return this.#defineRecord(start, length);
    const extension = this.#limits.extensions.get(type);
    if (extension === undefined) throw damaged(`it holds the extension type ${type}, which is not allowed here`);
    try {
      return extension.decode(new Uint8Array(this.#bytes.subarray(start, this.#position)));
    } catch (error) {
      throw damaged(`an extension of type ${type} could not be decoded`, error);
    }
  }

  /** The inside of a `Map` or `Set` is MessagePack again and must fill its extension exactly. */
  #readInside(start: number, type: number): unknown {
    const [outerEnd, end] = [this.#end, this.#position];
    this.#end = end;
    this.#position = start;
    const value = type === mapType ? this.#readEntries() : new Set(this.#readItems());
    if (this.#position !== end) throw damaged(`bytes follow behind the end of a ${type === mapType ? "Map" : "Set"}`);
    this.#end = outerEnd;
    return value;
  }

  #readEntries(): Map<unknown, unknown> {
    const token = this.#byte();
    const length = token >= 0x80 && token < 0x90 ? token - 0x80 : token === 0xde ? this.#uint16() : token === 0xdf ? this.#uint32() : undefined;
    if (length === undefined) throw damaged("a Map has no map inside");
    this.#enter(length * 2);
    const map = new Map<unknown, unknown>();
    for (let index = 0; index < length; index++) map.set(this.#read(), this.#read());
    this.#depth--;
    return map;
  }

  #readItems(): unknown[] {
    const token = this.#byte();
    const length = token >= 0x90 && token < 0xa0 ? token - 0x90 : token === 0xdc ? this.#uint16() : token === 0xdd ? this.#uint32() : undefined;
    if (length === undefined) throw damaged("a Set has no list inside");
    return this.#readList(length);
  }

  /** `d4 72 id [keys] values…`: the keys of a record, and the first of its kind right behind them. */
  #defineRecord(start: number, length: number): unknown {
    const id = recordId(this.#bytes[start] ?? 0, length === 2 ? (this.#bytes[start + 1] ?? 0) : undefined);
    const keys = this.#read();
    if (!Array.isArray(keys) || !keys.every((key): key is string => typeof key === "string")) throw damaged("a record definition is not a list of keys");
    this.#records ??= new Map();
    this.#records.set(id, keys);
    return this.#readFields(keys);
  }

  #readRecord(token: number): unknown {
    const keys = this.#records?.get(recordId(token, undefined));
    if (keys !== undefined) return this.#readFields(keys);
    return token;
  }

  #readFields(keys: readonly string[]): Record<string, unknown> {
    this.#enter(keys.length);
    const object: Record<string, unknown> = {};
    for (const key of keys) setOwn(object, key, this.#read());
    this.#depth--;
    return object;
  }

  /** Every value takes a byte at least, so more values than bytes are left are a lie. */
  #enter(values: number): void {
    this.#count();
    if (values > this.#end - this.#position) throw damaged("it ends before a list or map of it does");
    if (++this.#depth > this.#limits.depthMax) throw damaged(`it is nested deeper than ${this.#limits.depthMax}`);
  }

  #count(): void {
    if (++this.#containers > this.#limits.containersMax) throw damaged(`it holds more than ${this.#limits.containersMax} lists, maps and the like`);
  }

  #byte(): number {
    if (this.#position >= this.#end) throw damaged("it ends too early");
    return this.#bytes[this.#position++] ?? 0;
  }

  #uint16(): number {
    return this.#bytes.readUInt16BE(this.#skip(2));
  }

  #uint32(): number {
    return this.#bytes.readUInt32BE(this.#skip(4));
  }

  /** Where the next `length` bytes begin; the position is behind them afterwards. */
  #skip(length: number): number {
    const start = this.#position;
    if (length > this.#end - start) throw damaged("it ends too early");
    this.#position = start + length;
    return start;
  }

  #integer(value: bigint): number | bigint {
    return this.#limits.hasSafeIntegersAsNumbers && value >= safeMin && value <= safeMax ? Number(value) : value;
  }
}

const safeMax = BigInt(Number.MAX_SAFE_INTEGER);
const safeMin = -safeMax;

/** A 64-bit fraction. */
const fractionToken = 0xcb;
/** From so many values on, the view of the bytes is worth making. */
const longListMin = 16;

/** The letter r. */
const recordType = 0x72;

/** msgpackr's numbering: five bits and a second byte above them. */
function recordId(first: number, second: number | undefined): number {
  return second === undefined ? first & 0x3f : (first & 0x3f) | ((second + 1) << 6);
}

/** As `JSON.parse` does: a key `__proto__` becomes a plain property like any other. */
function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__") Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}
