/**
 * What every codec must do, as a vitest suite: values come back as they went in, no input crashes, hangs, pollutes or swells the process, and bytes are
 * neither shared between calls nor kept.
 */
import assert from "node:assert/strict";
import type { Codec } from "@halyard/core/spi";
import { describe, it } from "vitest";
import { bounded, flipped, harmless, prefixes, type SuiteCase } from "./hostile-bytes.ts";
import { type Random, randomFrom } from "./random.ts";

export interface CodecSuiteOptions {
  create(): Codec;
  /** Values beyond JSON that must come back deeply equal, e.g. dates and byte arrays. */
  readonly carries?: readonly unknown[];
  /** Values that `encode` must refuse, since they would come back changed or not at all. */
  readonly refuses?: readonly unknown[];
  /** Inputs of this format that claim to be larger than they are, nest without end or name constructors: each must end in an error or a harmless value. */
  readonly hostile?: Readonly<Record<string, Uint8Array>>;
  /** Generated values, and again generated inputs. Default 10,000. */
  readonly cases?: number;
  /** Of the generator. Default 1; a failure names the case. */
  readonly seed?: number;
}

const casesDefault = 10_000;
const text = { encode: (value: string): Uint8Array => new TextEncoder().encode(value) };

/**
 * Call it in a vitest file.
 *
 * @example
 * describeCodec("json", { create: () => json(), refuses: [undefined, 1n] });
 */
export function describeCodec(name: string, options: CodecSuiteOptions): void {
  describe(`${name}: codec`, () => {
    for (const { title, run } of codecCases(options)) it(title, run);
  });
}

/** The suite without vitest around it, so that it can be shown to fail. */
export function codecCases(options: CodecSuiteOptions): readonly SuiteCase[] {
  const cases: SuiteCase[] = [];
  const check = (title: string, run: () => void): void => void cases.push({ title, run });
  const codec = options.create();
  const { cases: times = casesDefault, seed = 1 } = options;
  const returns = (value: unknown): void => assert.deepStrictEqual(codec.decode(codec.encode(value)), value);

  check("has a short name, and a content type without parameters", () => {
    assert.match(codec.name, /^[a-z][a-z0-9-]*$/);
    assert.match(codec.contentType, /^[a-z]+\/[a-z0-9.+-]+$/);
  });

  check("gives back every kind of JSON value, at its limits", () => {
    for (const value of boundaryValues()) returns(value);
  });

  check("gives back values beyond JSON that it says it carries", () => {
    for (const value of options.carries ?? []) returns(value);
  });

  check(`gives back ${times} generated values`, () => {
    const random = randomFrom(seed);
    for (let index = 0; index < times; index++) {
      const value = generated(random, 4);
      const back = codec.decode(codec.encode(value));
      assert.deepStrictEqual(back, value, `value ${index} of seed ${seed} came back changed`);
    }
  });

  check("refuses what it cannot carry", () => {
    for (const value of options.refuses ?? []) assert.throws(() => codec.encode(value), Error, `${String(value)} was encoded`);
  });

  check("gives back values nested a hundred deep, and survives a hundred thousand", () => {
    returns(nested(100));
    harmless(() => codec.decode(codec.encode(nested(100_000))));
  });

  check("makes bytes that a later call does not touch, and values that do not change with the bytes they came from", () => {
    const value = { text: "first".repeat(20), list: [1, 2, 3] };
    const bytes = codec.encode(value);
    const before = Uint8Array.from(bytes);
    for (let index = 0; index < 1_000; index++) codec.encode({ text: "later".repeat(20), list: [index] });
    assert.deepStrictEqual(Uint8Array.from(bytes), before);
    const input = Uint8Array.from(bytes);
    const decoded = codec.decode(input);
    input.fill(0);
    assert.deepStrictEqual(decoded, value);
  });

  check("reads a window into a larger buffer, and no byte beside it", () => {
    const bytes = codec.encode({ a: [1, "two"] });
    const buffer = new Uint8Array(bytes.length + 20).fill(0xff);
    buffer.set(bytes, 10);
    assert.deepStrictEqual(codec.decode(buffer.subarray(10, 10 + bytes.length)), { a: [1, "two"] });
  });

  check("refuses no bytes at all, and bytes behind the end", () => {
    assert.throws(() => codec.decode(new Uint8Array()));
    assert.throws(() => codec.decode(Buffer.concat([codec.encode({ a: 1 }), codec.encode({ b: 2 })])));
  });

  check("ends in an error or a value, soon and small, for bytes cut at every place and flipped at every place", () => {
    const sample = codec.encode({ id: "0197e2f0", list: [1, -1, 1.5, null, true], nested: { text: "grüße 東京 😀", empty: {} } });
    bounded(() => {
      for (const bytes of [...prefixes(sample), ...flipped(sample)]) harmless(() => codec.decode(bytes));
    });
  });

  check(`ends in an error or a value, soon and small, for ${times} generated inputs`, () => {
    const random = randomFrom(seed);
    const samples: readonly [Uint8Array, Uint8Array, Uint8Array] = [
      codec.encode(generated(random, 4)),
      codec.encode(["__proto__", { constructor: 1 }]),
      text.encode("__proto__"),
    ];
    bounded(() => {
      for (let index = 0; index < times; index++)
        harmless(() => codec.decode(index % 2 === 0 ? random.bytes(random.below(200)) : damaged(random, random.pick(samples))));
    });
  });

  check("ends in an error or a harmless value for hostile inputs of its format", () => {
    for (const [what, bytes] of Object.entries(options.hostile ?? {})) bounded(() => harmless(() => codec.decode(bytes)), what);
  });

  check("changes no prototype, whatever the keys are called", () => {
    const own = Object.getOwnPropertyNames(Object.prototype).length;
    for (const key of ["__proto__", "constructor", "prototype"]) {
      const value: unknown = JSON.parse(`{"${key}":{"polluted":true,"prototype":{"polluted":true}}}`);
      harmless(() => {
        const back = codec.decode(codec.encode(value)) as { readonly polluted?: unknown };
        assert.equal(back.polluted, undefined, `a key ${key} in the body became the prototype of the value`);
      });
    }
    assert.equal(({} as { readonly polluted?: unknown }).polluted, undefined);
    assert.equal(Object.getOwnPropertyNames(Object.prototype).length, own);
  });

  return cases;
}

function boundaryValues(): readonly unknown[] {
  const numbers = [0, 1, -1, 127, 128, -128, -129, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
  const fractions = [0.1, -1.5, Number.MAX_VALUE, Number.MIN_VALUE, Number.EPSILON, 1e21];
  const texts = [
    "",
    "\u0000",
    "\n\r\t",
    '"\\',
    "\uFFFD",
    "\uFEFFbom",
    "é",
    "東京",
    "😀",
    "x".repeat(31),
    "x".repeat(32),
    "x".repeat(65_536),
    "ü".repeat(500_000),
  ];
  const lists = [[], [[]], [null], Array.from({ length: 15 }, String), Array.from({ length: 16 }, String), Array.from({ length: 70_000 }, (_, index) => index)];
  const objects: readonly unknown[] = [
    {},
    { "": 1 },
    { a: { b: {} } },
    { toString: "x", hasOwnProperty: 1 },
    Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`k${index}`, index])),
  ];
  return [null, true, false, ...numbers, ...fractions, ...texts, ...lists, ...objects];
}

function generated(random: Random, depth: number): unknown {
  const kind = random.below(depth > 0 ? 9 : 6);
  if (kind === 0) return null;
  if (kind === 1) return random.next() < 0.5;
  if (kind === 2) return random.below(2 ** 32) - 2 ** 31;
  if (kind === 3) return (random.next() - 0.5) * 10 ** random.below(30);
  if (kind < 6) return generatedText(random);
  const length = random.below(6);
  if (kind === 6) return Array.from({ length }, () => generated(random, depth - 1));
  return Object.fromEntries(Array.from({ length }, () => [generatedText(random).replace("__proto__", "_"), generated(random, depth - 1)]));
}

function generatedText(random: Random): string {
  const units = ["a", "Z", "0", " ", "\n", '"', "\\", "é", "\u2028", "東", "😀", "__proto__", "\uFFFD"] as const;
  return Array.from({ length: random.below(12) }, () => random.pick(units)).join("");
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

/** A few bytes changed, removed or added. */
function damaged(random: Random, sample: Uint8Array): Uint8Array {
  const bytes = Buffer.from(sample);
  for (let times = random.below(4); times >= 0; times--) if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
  const end = random.below(3) === 0 ? random.below(bytes.length + 1) : bytes.length;
  return random.below(4) === 0 ? Buffer.concat([bytes.subarray(0, end), random.bytes(random.below(8))]) : bytes.subarray(0, end);
}
