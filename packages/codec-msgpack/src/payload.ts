/**
 * Payloads on their way out: what MessagePack can carry, in the form in which msgpackr writes it so that every reader understands it.
 *
 * msgpackr takes everything and changes some of it: it writes functions as an extension, other typed arrays with their values cut to bytes, half a
 * surrogate pair as bytes that are no UTF-8, a `Map` like an object, and a `Set` as an extension whose content lies outside of it, which other
 * implementations misread. So there is a look first, in two functions as in core's JSON codec: `countPlain` is fast and enough for most payloads, which
 * are then written as they are; the rest goes through `writable`, which makes a copy with `Map` and `Set` packed, or says what is wrong and where.
 *
 * Both count as the reader does: what it would refuse must fail where it is published, not in every consumer.
 */
import { HalyardError } from "@halyard/core/spi";
import { type MsgpackLimits, mapType, setType } from "./options.ts";
import { PackedExtension } from "./packed-extension.ts";

/** What `countPlain` returns for what is not plain, or may not be. */
const notPlain = -1;

/** How many lists, maps, dates and byte arrays there are in a payload that msgpackr can have as it is; negative means "ask `writable`". */
export function countPlain(value: unknown, levelsLeft: number): number {
  if (typeof value === "object" && value !== null) return countInObject(value, levelsLeft);
  return isPrimitivePlain(value) ? 0 : notPlain;
}

function isPrimitivePlain(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  return typeof value === "number" || typeof value === "boolean" || value === null || (typeof value === "bigint" && isInRange(value));
}

function countInObject(object: object, levelsLeft: number): number {
  if (levelsLeft <= 0) return notPlain;
  let count = 1;
  if (object.constructor === Object) {
    for (const key in object) {
      const value: unknown = (object as Record<string, unknown>)[key];
      if (!key.isWellFormed()) return notPlain;
      if (typeof value === "object" && value !== null) {
        const inside = countInObject(value, levelsLeft - 1);
        if (inside < 0) return notPlain;
        count += inside;
      } else if (!isPrimitivePlain(value)) return notPlain;
    }
    // A key `toJSON` with anything but a function is a plain one; functions were refused above.
    return count;
  }
  if (Array.isArray(object)) {
    for (let index = 0; index < object.length; index++) {
      const value: unknown = object[index];
      if (typeof value === "object" && value !== null) {
        const inside = countInObject(value, levelsLeft - 1);
        if (inside < 0) return notPlain;
        count += inside;
      } else if (!isPrimitivePlain(value)) return notPlain;
    }
    return count;
  }
  const isLeaf = object instanceof Uint8Array || (object.constructor === Date && !Number.isNaN((object as Date).getTime()));
  return isLeaf ? count : notPlain;
}

const int64Min = -(2n ** 63n);
const uint64Max = 2n ** 64n - 1n;

function isInRange(value: bigint): boolean {
  return value >= int64Min && value <= uint64Max;
}

/** Turns a payload that is ready into bytes; those inside a `Map` or `Set` are packed before what is around them. */
export type Pack = (value: unknown) => Uint8Array;

/**
 * A copy of the payload as msgpackr can have it.
 * @throws ENCODE_FAILED with the place of what cannot be carried
 */
export function writable(payload: unknown, limits: WriteLimits, pack: Pack): unknown {
  return new Writable(limits, pack).of(payload, "payload", 0);
}

export type WriteLimits = Pick<MsgpackLimits, "depthMax" | "containersMax">;

class Writable {
  readonly #limits: WriteLimits;
  readonly #pack: Pack;
  #containers = 0;

  constructor(limits: WriteLimits, pack: Pack) {
    this.#limits = limits;
    this.#pack = pack;
  }

  of(value: unknown, path: string, depth: number): unknown {
    if (typeof value === "string") return checkedText(value, path);
    if (typeof value === "bigint" && !isInRange(value)) throw refused(path, "a bigint of more than 64 bits");
    if (typeof value === "function" || typeof value === "symbol") throw refused(path, `a ${typeof value}`);
    if (value === undefined) throw refused(path, "undefined");
    if (typeof value !== "object" || value === null) return value;
    const { depthMax } = this.#limits;
    if (depth >= depthMax) throw refused(path.slice(0, 100), `nested deeper than ${depthMax}, or in itself`);
    return this.#ofObject(value, path, depth + 1);
  }

  #ofObject(value: object, path: string, depth: number): unknown {
    if (value instanceof Uint8Array) {
      this.#count(1);
      return value;
    }
    if (value instanceof Date) {
      if (Number.isNaN(value.getTime())) throw refused(path, "a Date that is no date");
      this.#count(1);
      return value;
    }
    if (value instanceof Map || value instanceof Set) return this.#ofCollection(value, path, depth);
    if ("toJSON" in value && typeof value.toJSON === "function") {
      const stated: unknown = value.toJSON("");
      if (stated !== value) return this.of(stated, path, depth);
    }
    this.#count(1);
    if (Array.isArray(value)) return Array.from(value, (item, index) => this.of(item, `${path}[${index}]`, depth));
    const kind = lostKind(value);
    if (kind !== undefined) throw refused(path, kind);
    return this.#ofProperties(value, path, depth);
  }

  /** An extension and, within it, a map or list. */
  #ofCollection(value: Map<unknown, unknown> | Set<unknown>, path: string, depth: number): PackedExtension {
    this.#count(2);
    if (value instanceof Map) {
      const entries = [...value].map(([key, entry]) => [this.of(key, `${path} (a key)`, depth), this.of(entry, `${path} (a value)`, depth)] as const);
      return new PackedExtension(mapType, this.#pack(new Map(entries)));
    }
    return new PackedExtension(setType, this.#pack([...value].map((item) => this.of(item, `${path} (an item)`, depth))));
  }

  #count(containers: number): void {
    this.#containers += containers;
    if (this.#containers > this.#limits.containersMax) throw tooMany(this.#limits.containersMax);
  }

  /** A property that is `undefined` is left out, as JSON does it: a change of codec changes no message. */
  #ofProperties(object: object, path: string, depth: number): object {
    // Without a prototype, so that a key `__proto__` is one like any other.
    const copy = Object.create(null) as Record<string, unknown>;
    for (const [key, value] of Object.entries(object)) {
      if (value !== undefined) copy[checkedText(key, `${path} (a key)`)] = this.of(value, pathOf(path, key), depth);
    }
    return copy;
  }
}

function pathOf(path: string, name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}

function checkedText(text: string, path: string): string {
  if (text.isWellFormed()) return text;
  throw refused(path, "text with half a surrogate pair, which UTF-8 cannot carry");
}

/** Objects of the language whose contents are not in their properties. */
const lostKinds: readonly (readonly [new (...parameters: never) => object, string])[] = [
  [WeakMap, "a WeakMap"],
  [WeakSet, "a WeakSet"],
  [WeakRef, "a WeakRef"],
  [Promise, "a Promise (await it first)"],
  [Error, "an Error"],
  [RegExp, "a RegExp"],
  [ArrayBuffer, "an ArrayBuffer (use new Uint8Array(it))"],
  [SharedArrayBuffer, "a SharedArrayBuffer (use Uint8Array.from)"],
  [Number, "a number in an object"],
  [String, "text in an object"],
  [Boolean, "a boolean in an object"],
];

function lostKind(value: object): string | undefined {
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} (use Array.from, or a Uint8Array of its bytes)`;
  return lostKinds.find(([kind]) => value instanceof kind)?.[1];
}

/** The reader's bound, at the publisher. */
export function tooMany(containersMax: number): HalyardError {
  const text = `The payload holds more than ${containersMax} lists, maps, dates and byte arrays, which consumers refuse: split it, or raise containersMax of msgpack() here and in all of them.`;
  return new HalyardError("ENCODE_FAILED", text, { details: { containersMax } });
}

function refused(path: string, what: string): HalyardError {
  return new HalyardError("ENCODE_FAILED", `The payload cannot be written as MessagePack without change: ${path} is ${what}.`, { details: { path } });
}
