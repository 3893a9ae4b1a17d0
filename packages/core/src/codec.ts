/**
 * Codecs: what a payload is as bytes. JSON is built in; MessagePack and others come from packages of their own and are handed to `createBus`.
 *
 * JSON is the hottest code of the library, so the plainest calls were measured against every cleverer one (Node 20.20, objects of 230 bytes):
 * encode `Buffer.from(JSON.stringify(x))` 1.15 µs, of it 0.86 the stringify; writing into a slab of our own saves at most 0.03 and keeps slabs alive.
 * decode `JSON.parse(bytes.toString())` 0.93 µs, of it 0.08 the text; asking `isAscii` first and reading Latin-1 costs 0.03 more, `TextDecoder` the same.
 */
import { isUtf8 } from "node:buffer";
import { HalyardError } from "./errors.ts";
import { findLoss, isCarried, type Loss } from "./json-losses.ts";
import { shown } from "./topic.ts";

/** Turns payloads into bytes and back. Chosen on the way out by option, on the way in by the message's own content type. */
export interface Codec {
  /** Short name for options and metrics, e.g. `"json"`. */
  readonly name: string;
  /** Media type written to the message, e.g. `"application/json"`; on the way in, parameters after `;` are ignored. */
  readonly contentType: string;
  /** Throws where the payload cannot be represented without change. */
  encode(payload: unknown): Uint8Array;
  /** Throws where the bytes are not valid. Must be bounded in time and memory for any input. */
  decode(bytes: Uint8Array): unknown;
}

/** What a UTF-8 decoder writes in place of bytes that are not UTF-8; it may also be in the text itself. */
const replacementCharacter = "\uFFFD";

export interface JsonOptions {
  /** Take what JSON changes or leaves out, as `JSON.stringify` does: `NaN` becomes null, a `Map` `{}`, a function nothing. Default false: refused. */
  readonly lossy?: boolean;
}

/**
 * The built-in codec, `application/json`. What JSON cannot carry is `ENCODE_FAILED` with the place where it stands: bigint, `NaN` and the infinities,
 * `Map`, `Set`, byte arrays, functions, symbols, `undefined` in a list, errors, promises. As everybody expects, a `Date` arrives as its ISO text, a
 * property that is `undefined` is left out, and an object with `toJSON` is written as that says.
 *
 * @example
 * createBus({ backend, codecs: [json({ lossy: true })] }); // as JSON.stringify has it
 */
export function json(options: JsonOptions = {}): Codec {
  return { name: "json", contentType: "application/json", encode: options.lossy === true ? encodeLossyJson : encodeJson, decode: decodeJson };
}

/** @throws ENCODE_FAILED */
function encodeJson(payload: unknown): Uint8Array {
  let text: string | undefined;
  let loss: Loss | undefined;
  try {
    // The text first: it ends where a payload has no end, so that the look at it ends as well.
    text = JSON.stringify(payload);
    if (!isCarried(payload)) loss = findLoss(payload);
  } catch (error) {
    throw unwritable(payload, error);
  }
  if (loss !== undefined) throw lossError(loss);
  if (text === undefined) throw nothingWritten(payload);
  return Buffer.from(text);
}

/** @throws ENCODE_FAILED */
function encodeLossyJson(payload: unknown): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(payload);
  } catch (error) {
    throw new HalyardError("ENCODE_FAILED", `The payload cannot be written as JSON: ${messageOf(error)}`, { cause: error });
  }
  if (text === undefined) throw nothingWritten(payload);
  return Buffer.from(text);
}

/** A bigint, a cycle, too deep, or a `toJSON` that threw. For a bigint the runtime does not say where it stands. */
function unwritable(payload: unknown, error: unknown): HalyardError {
  const general = new HalyardError("ENCODE_FAILED", `The payload cannot be written as JSON: ${messageOf(error)}`, { cause: error });
  if (!(error instanceof TypeError && error.message.includes("BigInt"))) return general;
  try {
    const loss = findLoss(payload);
    return loss === undefined ? general : lossError(loss);
  } catch {
    // The look itself failed, too deep for instance: what the runtime said is still true.
    return general;
  }
}

function lossError(loss: Loss): HalyardError {
  const text = `The payload cannot be written as JSON without change: ${loss.path} is ${loss.what}. Publish it as text or number, or with a codec that carries it (@halyard/codec-msgpack has bigint, Map, Set, bytes and NaN), or let JSON change it with json({ lossy: true }).`;
  return new HalyardError("ENCODE_FAILED", text, { details: { path: loss.path } });
}

function nothingWritten(payload: unknown): HalyardError {
  return new HalyardError("ENCODE_FAILED", `The payload cannot be written as JSON: it is ${typeof payload}. Publish null or an object instead.`);
}

/** @throws DECODE_FAILED */
function decodeJson(bytes: Uint8Array): unknown {
  // `JSON.parse` makes `__proto__` an own property like any other and does not recurse, so neither a prototype nor the stack is at risk.
  const text = (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString();
  if (text.includes(replacementCharacter) && !isUtf8(bytes)) throw new HalyardError("DECODE_FAILED", "The body is not JSON: its bytes are not valid UTF-8.");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HalyardError("DECODE_FAILED", `The body is not JSON: ${messageOf(error)}`, { cause: error });
  }
}

/** Content types whose codec is a package of its own, so that the error can name it. */
const packages: Readonly<Record<string, string>> = {
  "application/msgpack": "@halyard/codec-msgpack",
  "application/x-msgpack": "@halyard/codec-msgpack",
  "application/vnd.msgpack": "@halyard/codec-msgpack",
  msgpack: "@halyard/codec-msgpack",
};

/** Content types that are another one: MessagePack was written under these before it had been given one. */
const aliases: Readonly<Record<string, string>> = { "application/x-msgpack": "application/msgpack", "application/vnd.msgpack": "application/msgpack" };

/** The codecs of one bus: by name on the way out, by content type on the way in. */
export class CodecRegistry {
  readonly #byName = new Map<string, Codec>();
  readonly #byContentType = new Map<string, Codec>();

  /** JSON is there without being named; a codec given under its name or content type takes its place. */
  constructor(codecs: readonly Codec[] = []) {
    for (const codec of [json(), ...codecs]) {
      this.#byName.set(codec.name, codec);
      this.#byContentType.set(mediaType(codec.contentType), codec);
    }
  }

  /**
   * The codec to encode with.
   * @throws UNKNOWN_CODEC
   */
  named(name: string): Codec {
    return this.#byName.get(name) ?? unknownCodec("codec", name);
  }

  /**
   * The codec to decode with; letter case and parameters (`; charset=utf-8`) do not count.
   * @throws UNKNOWN_CODEC
   */
  reading(contentType: string): Codec {
    // Nearly every message spells it as its codec does: one look-up, and the text is only taken apart otherwise.
    return this.#byContentType.get(contentType) ?? this.#read(mediaType(contentType)) ?? unknownCodec("content type", contentType);
  }

  #read(type: string): Codec | undefined {
    return this.#byContentType.get(type) ?? this.#byContentType.get((Object.hasOwn(aliases, type) ? aliases[type] : undefined) ?? type);
  }
}

function mediaType(contentType: string): string {
  const end = contentType.indexOf(";");
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

function unknownCodec(what: string, name: string): never {
  const key = mediaType(name);
  const packageName = Object.hasOwn(packages, key) ? packages[key] : undefined;
  const advice =
    packageName === undefined
      ? "Pass a codec for it to createBus({ codecs: [ … ] })."
      : `Install ${packageName} and pass its codec to createBus({ codecs: [ … ] }).`;
  throw new HalyardError("UNKNOWN_CODEC", `No codec of this bus has the ${what} ${shown(name)}. ${advice}`, {
    details: { [what === "codec" ? "codec" : "contentType"]: name },
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
