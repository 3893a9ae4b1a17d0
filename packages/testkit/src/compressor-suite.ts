/** What every compressor must do, as a vitest suite: bytes come back as they went in, damage is noticed, and no input yields more than was allowed. */
import assert from "node:assert/strict";
import type { Compressor } from "@halyard/core/spi";
import { describe, it } from "vitest";
import { bounded, flipped, harmless, prefixes, type SuiteCase } from "./hostile-bytes.ts";
import { type Random, randomFrom } from "./random.ts";

export interface CompressorSuiteOptions {
  create(): Compressor;
  /** Whether the format carries a checksum: then a flipped byte never yields other bytes than the original. */
  readonly hasChecksum: boolean;
  /** Inputs of this format that claim to be larger than they are. */
  readonly hostile?: Readonly<Record<string, Uint8Array>>;
  /** Generated bodies, and again generated inputs. Default 10,000. */
  readonly cases?: number;
  /** Of the generator. Default 1; a failure names the case. */
  readonly seed?: number;
}

const casesDefault = 10_000;
const mebibyte = 1_048_576;
const bombBytes = 200_000_000;
/** What a body of 200 MB may cost where 1 MiB is allowed; measured are 1–11 ms and 1–5 MB for those of `node:zlib`. */
const bombMsMax = 1_000;
const bombMemoryMax = 50_000_000;

/**
 * Call it in a vitest file.
 *
 * @example
 * describeCompressor("gzip", { create: () => gzip(), hasChecksum: true });
 */
export function describeCompressor(name: string, options: CompressorSuiteOptions): void {
  describe(`${name}: compressor`, () => {
    for (const { title, run } of compressorCases(options)) it(title, run);
  });
}

/** The suite without vitest around it, so that it can be shown to fail. */
export function compressorCases(options: CompressorSuiteOptions): readonly SuiteCase[] {
  const cases: SuiteCase[] = [];
  const check = (title: string, run: () => void): void => void cases.push({ title, run });
  const compressor = options.create();
  const { cases: times = casesDefault, seed = 1 } = options;
  // Made anew for each use: a compressor may overwrite what it is given.
  const sample = (): Buffer => Buffer.from('{"id":"0197e2f0","text":"All work and no play makes Jack a dull boy. '.repeat(4));
  const returns = (body: Uint8Array, what: string): void => {
    const back = compressor.decompress(compressor.compress(body), body.byteLength);
    assert.ok(Buffer.from(back.buffer, back.byteOffset, back.byteLength).equals(body), `${what} came back changed`);
  };

  check("is named by a content-encoding token", () => {
    assert.match(compressor.name, /^[a-z0-9][a-z0-9-]*$/);
  });

  check("gives back bodies of every size and kind, where exactly as much is allowed", () => {
    const random = randomFrom(seed);
    for (const length of [0, 1, 2, 1_023, 1_024, 65_535, 65_536, mebibyte]) {
      returns(Buffer.alloc(length), `${length} zeros`);
      returns(random.bytes(length), `${length} bytes of chance`);
      returns(sized(sample(), length), `${length} bytes of text`);
    }
  });

  check(`gives back ${times} generated bodies`, () => {
    const random = randomFrom(seed);
    for (let index = 0; index < times; index++) returns(generated(random), `body ${index} of seed ${seed}`);
  });

  check("makes text smaller", () => {
    assert.ok(compressor.compress(sized(sample(), 10_000)).byteLength < 5_000);
  });

  check("refuses to give back one byte more than allowed", () => {
    for (const length of [1, 1_024, mebibyte]) {
      const small = compressor.compress(sized(sample(), length));
      assert.throws(() => compressor.decompress(small, length - 1), Error);
    }
  });

  check("refuses a bomb of 200 MB soon, without making room for it", () => {
    const bomb = compressor.compress(Buffer.alloc(bombBytes));
    const before = process.memoryUsage();
    const startMs = performance.now();
    assert.throws(() => compressor.decompress(bomb, mebibyte), Error);
    const durationMs = performance.now() - startMs;
    const after = process.memoryUsage();
    const memory = Math.max(after.rss - before.rss, after.arrayBuffers - before.arrayBuffers);
    assert.ok(durationMs < bombMsMax, `refusing took ${Math.round(durationMs)} ms`);
    assert.ok(memory < bombMemoryMax, `refusing took ${memory} bytes of memory`);
  });

  check("refuses a body that was cut at any place", () => {
    for (const bytes of prefixes(compressor.compress(sample())))
      assert.throws(() => compressor.decompress(bytes, mebibyte), Error, `${bytes.length} bytes were taken for the whole`);
  });

  check("ends in an error or a bounded body for a byte flipped at any place", () => {
    bounded(() => {
      for (const bytes of flipped(compressor.compress(sample()))) {
        const back = decompressed(compressor, bytes, mebibyte);
        if (back !== undefined && options.hasChecksum) assert.ok(Buffer.from(back).equals(sample()), "a damaged body was given back as if it were whole");
      }
    });
  });

  check(`ends in an error or a bounded body for ${times} generated inputs`, () => {
    const random = randomFrom(seed);
    const small = Buffer.from(compressor.compress(sample()));
    bounded(() => {
      for (let index = 0; index < times; index++) decompressed(compressor, index % 2 === 0 ? random.bytes(random.below(100)) : damaged(random, small), 10_000);
    });
  });

  check("ends in an error or a bounded body for hostile inputs of its format", () => {
    for (const [what, bytes] of Object.entries(options.hostile ?? {})) bounded(() => decompressed(compressor, bytes, mebibyte), what);
  });

  check("changes neither its input nor what an earlier call gave", () => {
    const input = sample();
    const small = compressor.compress(input);
    const back = compressor.decompress(small, mebibyte);
    const [smallBefore, backBefore] = [Buffer.from(small), Buffer.from(back)];
    for (let index = 0; index < 100; index++) compressor.decompress(compressor.compress(Buffer.alloc(500, index)), 500);
    assert.ok(input.equals(sample()) && smallBefore.equals(small) && backBefore.equals(back));
  });

  return cases;
}

/** What comes out; `undefined` where the input was refused. Fails where more comes out than allowed. */
function decompressed(compressor: Compressor, bytes: Uint8Array, bytesMax: number): Uint8Array | undefined {
  let back: Uint8Array | undefined;
  harmless(() => {
    back = compressor.decompress(bytes, bytesMax);
  });
  assert.ok((back?.byteLength ?? 0) <= bytesMax, `${back?.byteLength} bytes came out where ${bytesMax} were allowed`);
  return back;
}

function sized(sample: Buffer, length: number): Buffer {
  return Buffer.alloc(length, sample);
}

function generated(random: Random): Buffer {
  const length = random.below(600);
  const kind = random.below(3);
  if (kind === 0) return random.bytes(length);
  if (kind === 1) return Buffer.alloc(length, random.below(256));
  return Buffer.alloc(length, random.bytes(1 + random.below(20)));
}

function damaged(random: Random, small: Buffer): Buffer {
  const bytes = Buffer.from(small);
  for (let times = random.below(4); times >= 0; times--) bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}
