/** The suites for codecs and compressors, proven on ones that break a rule each. */
import { brotli, type Codec, type Compressor, gzip, json } from "@halyard/core";
import { expect, test } from "vitest";
import { codecCases } from "../src/codec-suite.ts";
import { compressorCases } from "../src/compressor-suite.ts";
import type { SuiteCase } from "../src/hostile-bytes.ts";

function failing(cases: readonly SuiteCase[]): string[] {
  return cases.filter(({ run }) => fails(run)).map(({ title }) => title);
}

function fails(run: () => void): boolean {
  try {
    run();
    return false;
  } catch {
    return true;
  }
}

const good = json();
const slab = Buffer.alloc(4 * 1_048_576);
const decoder = new TextDecoder();

/** Adds all keys to the target as assignment does, `__proto__` included. */
function assigned(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const target: Record<string, unknown> = {};
  for (const [key, one] of Object.entries(value)) target[key] = one;
  return target;
}

const faultyCodecs: Readonly<Record<string, { readonly codec: Partial<Codec>; readonly fails: RegExp }>> = {
  "a content type with parameters": { codec: { contentType: "application/json; charset=utf-8" }, fails: /content type/ },
  "numbers as 32-bit integers": { codec: { encode: (payload) => good.encode(typeof payload === "number" ? payload | 0 : payload) }, fails: /every kind/ },
  "text cut at NUL": { codec: { decode: (bytes) => good.decode(Buffer.from(decoder.decode(bytes).replace("\\u0000", ""))) }, fails: /every kind/ },
  "undefined written as null": { codec: { encode: (payload) => good.encode(payload === undefined ? null : payload) }, fails: /refuses what/ },
  "one buffer for all calls": {
    codec: { encode: (payload) => slab.subarray(0, slab.write(JSON.stringify(payload))) },
    fails: /a later call does not touch/,
  },
  "the whole buffer instead of the window": {
    codec: {
      decode: (bytes) =>
        JSON.parse(
          Buffer.from(bytes.buffer)
            .toString()
            .replace(/^[^{]*/, ""),
        ),
    },
    fails: /window/,
  },
  "no bytes taken for null": { codec: { decode: (bytes) => (bytes.length === 0 ? null : good.decode(bytes)) }, fails: /no bytes at all/ },
  "a thrown text": {
    codec: {
      decode: (bytes) => {
        try {
          return good.decode(bytes);
        } catch {
          throw "bad";
        }
      },
    },
    fails: /cut at every place/,
  },
  "keys assigned to an object": { codec: { decode: (bytes) => assigned(good.decode(bytes)) }, fails: /no prototype/ },
};

test("the unbroken codec passes", () => {
  expect(failing(codecCases({ create: json, refuses: [undefined], cases: 1_000 }))).toEqual([]);
});

test.for(Object.entries(faultyCodecs))("a codec with the fault: %s", ([, { codec, fails: expected }]) => {
  const titles = failing(codecCases({ create: () => ({ ...good, ...codec }), refuses: [undefined], cases: 200 }));
  expect(titles.filter((title) => expected.test(title))).toHaveLength(1);
});

const zipped = gzip();
const faultyCompressors: Readonly<Record<string, { readonly compressor: Partial<Compressor>; readonly hasChecksum?: boolean; readonly fails: RegExp }>> = {
  "no limit": { compressor: { decompress: (bytes) => zipped.decompress(bytes, 1e9) }, fails: /bomb/ },
  "a limit that is looked at afterwards": {
    compressor: {
      decompress: (bytes, bytesMax) => {
        const back = zipped.decompress(bytes, 1e9);
        if (back.length > bytesMax) throw new Error("too large");
        return back;
      },
    },
    fails: /bomb/,
  },
  "one byte too many allowed": { compressor: { decompress: (bytes, bytesMax) => zipped.decompress(bytes, bytesMax + 1) }, fails: /one byte more/ },
  "one byte too few allowed": { compressor: { decompress: (bytes, bytesMax) => zipped.decompress(bytes, bytesMax - 1) }, fails: /every size/ },
  "damage taken for an empty body": {
    compressor: {
      decompress: (bytes, bytesMax) => {
        try {
          return zipped.decompress(bytes, bytesMax);
        } catch {
          return new Uint8Array();
        }
      },
    },
    fails: /cut at any place/,
  },
  "a checksum that does not exist": { compressor: brotli(), hasChecksum: true, fails: /flipped/ },
  "nothing made smaller": { compressor: { compress: (bytes) => bytes, decompress: (bytes) => bytes }, fails: /makes text smaller/ },
  "its input overwritten": {
    compressor: {
      compress: (bytes) => {
        const small = zipped.compress(bytes);
        bytes.fill(0);
        return small;
      },
    },
    fails: /changes neither/,
  },
};

test("the unbroken compressor passes", () => {
  expect(failing(compressorCases({ create: gzip, hasChecksum: true, cases: 1_000 }))).toEqual([]);
});

test.for(Object.entries(faultyCompressors))("a compressor with the fault: %s", ([, { compressor, hasChecksum = true, fails: expected }]) => {
  const titles = failing(compressorCases({ create: () => ({ ...zipped, ...compressor }), hasChecksum, cases: 200 }));
  expect(titles.filter((title) => expected.test(title))).toHaveLength(1);
});
