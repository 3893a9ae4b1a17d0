/**
 * Compressors: bodies of a kilobyte and more can travel smaller. gzip, deflate, Brotli and (where the runtime has it) Zstandard come from `node:zlib`;
 * LZ4 is a package of its own.
 *
 * The synchronous calls are used on purpose: for bodies of this size a trip through the thread pool costs more than the work, and order is kept for nothing.
 * Decompression is bounded by `maxOutputLength`, never by a size that the input states about itself: a bomb of 194 KB that holds 200 MB ends
 * after the limit's worth of output, and no more is ever allocated.
 */
import * as zlib from "node:zlib";
import { HalyardError, isHalyardError } from "./errors.ts";
import { shown } from "./topic.ts";
import { isWholeZstd } from "./zstd-frames.ts";

/** Makes bytes smaller and back. Named in the message's content encoding. */
export interface Compressor {
  /** Content-encoding token, e.g. `"gzip"`. */
  readonly name: string;
  compress(bytes: Uint8Array): Uint8Array;
  /** Throws where the input is damaged or the output would exceed `bytesMax`, before allocating it. */
  decompress(bytes: Uint8Array, bytesMax: number): Uint8Array;
}

/** Bodies below this are sent as they are: the saving would be smaller than the work. */
export const compressionThresholdBytes = 1_024;

/** RFC 1952, `gzip`: carries a checksum and is understood everywhere. `level` 1 (fast) to 9 (small), default 6. */
export function gzip(options: { readonly level?: number } = {}): Compressor {
  const level = checkedLevel("gzip", options.level ?? 6, 1, 9);
  return zlibCompressor("gzip", (bytes) => zlib.gzipSync(bytes, { level }), zlib.gunzipSync);
}

/** RFC 1950, the `deflate` of HTTP: 12 bytes shorter than gzip, a weaker checksum. `level` 1 to 9, default 6. */
export function deflate(options: { readonly level?: number } = {}): Compressor {
  const level = checkedLevel("deflate", options.level ?? 6, 1, 9);
  return zlibCompressor("deflate", (bytes) => zlib.deflateSync(bytes, { level }), zlib.inflateSync);
}

/** RFC 7932, content encoding `br`, in options also `"brotli"`. Smallest; no checksum. `level` 0 to 11, default 4: `node:zlib`'s own 11 is a hundred times slower. */
export function brotli(options: { readonly level?: number } = {}): Compressor {
  const level = checkedLevel("brotli", options.level ?? 4, 0, 11);
  const params = { [zlib.constants.BROTLI_PARAM_QUALITY]: level };
  // The size hint lets the encoder allocate its window for this body instead of for the largest possible one.
  const compress = (bytes: Uint8Array): Uint8Array =>
    zlib.brotliCompressSync(bytes, { params: { ...params, [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.byteLength } });
  return zlibCompressor("br", compress, zlib.brotliDecompressSync);
}

type Decompress = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array;

/** The part of `node:zlib` that Node 20 and its types do not have. */
interface Zstandard {
  readonly zstdCompressSync?: (bytes: Uint8Array, options: { readonly params: Readonly<Record<number, number>> }) => Uint8Array;
  readonly zstdDecompressSync?: Decompress;
}
const zstandard: Zstandard = zlib as object;
/** `ZSTD_c_checksumFlag`: without it a flipped byte can go unnoticed. */
const zstdChecksumFlag = 201;

/** Whether this runtime has Zstandard (Node ≥ 22.15). */
export const hasZstd: boolean = typeof zstandard.zstdCompressSync === "function";

/**
 * RFC 8878, content encoding `zstd`: faster than gzip and smaller.
 * @throws UNSUPPORTED where the runtime does not have it; see `hasZstd`.
 */
export function zstd(): Compressor {
  const { zstdCompressSync, zstdDecompressSync } = zstandard;
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) {
    throw new HalyardError("UNSUPPORTED", `Node ${process.versions.node} has no Zstandard: use Node 22.15 or later, or gzip().`);
  }
  const decompress: Decompress = (bytes, options) => {
    if (!isWholeZstd(bytes)) throw new Error("the data ends too early or too late");
    return zstdDecompressSync(bytes, options);
  };
  return zlibCompressor("zstd", (bytes) => zstdCompressSync(bytes, { params: { [zstdChecksumFlag]: 1 } }), decompress);
}

function zlibCompressor(name: string, compress: (bytes: Uint8Array) => Uint8Array, decompress: Decompress): Compressor {
  return {
    name,
    compress,
    decompress(bytes, bytesMax) {
      try {
        // `node:zlib` refuses a limit of 0; nothing that decompresses to more than nothing gets past the check below.
        const output = decompress(bytes, { maxOutputLength: Math.max(1, bytesMax) });
        if (output.byteLength > bytesMax) throw tooLarge(name, bytesMax);
        return output;
      } catch (error) {
        throw failed(name, bytesMax, error);
      }
    },
  };
}

function failed(name: string, bytesMax: number, error: unknown): HalyardError {
  if (isHalyardError(error)) return error;
  if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") return tooLarge(name, bytesMax, error);
  const text = error instanceof Error ? error.message : String(error);
  return new HalyardError("DECODE_FAILED", `The body is not valid ${name}: ${text}.`, { cause: error });
}

function tooLarge(name: string, bytesMax: number, cause?: unknown): HalyardError {
  const text = `The ${name} body holds more than ${bytesMax} bytes, the limit of this bus. Raise limits.bodyBytesMax if such bodies are meant to pass.`;
  return new HalyardError("DECODE_FAILED", text, { ...(cause === undefined ? {} : { cause }), details: { bytesMax } });
}

function checkedLevel(name: string, level: number, lowest: number, highest: number): number {
  if (Number.isInteger(level) && level >= lowest && level <= highest) return level;
  throw new HalyardError("INVALID_OPTIONS", `${shown(level)} is not a level of ${name}: use a whole number from ${lowest} to ${highest}.`);
}

/** Other spellings of a name, in options and on the wire. */
const aliases: Readonly<Record<string, string>> = { brotli: "br", "x-gzip": "gzip" };

/** Encodings whose compressor is a package of its own, so that the error can name it. */
const packages: Readonly<Record<string, string>> = { lz4: "@halyard/compression-lz4" };

/** The compressors of one bus, by name in options and by content encoding on the wire. */
export class CompressorRegistry {
  readonly #byName = new Map<string, Compressor>();

  /** gzip, deflate, Brotli and, where the runtime has it, Zstandard are there without being named; a given one takes the place of its namesake. */
  constructor(compressors: readonly Compressor[] = []) {
    for (const compressor of [gzip(), deflate(), brotli(), ...(hasZstd ? [zstd()] : []), ...compressors]) this.#byName.set(compressor.name, compressor);
  }

  /** @throws UNKNOWN_COMPRESSION */
  named(name: string): Compressor {
    return this.#byName.get(name) ?? this.#byName.get(canonical(name)) ?? unknownCompression(name);
  }
}

/**
 * The body, smaller; `undefined` where it should be sent as it is: it is below the threshold, or would not become smaller.
 */
export function compressed(compressor: Compressor, body: Uint8Array, thresholdBytes: number = compressionThresholdBytes): Uint8Array | undefined {
  if (body.byteLength < thresholdBytes) return undefined;
  const smaller = compressor.compress(body);
  return smaller.byteLength < body.byteLength ? smaller : undefined;
}

function canonical(name: string): string {
  const key = name.trim().toLowerCase();
  return (Object.hasOwn(aliases, key) ? aliases[key] : undefined) ?? key;
}

function unknownCompression(name: string): never {
  const key = canonical(name);
  const packageName = Object.hasOwn(packages, key) ? packages[key] : undefined;
  const advice =
    packageName !== undefined
      ? `Install ${packageName} and pass its compressor to createBus({ compressors: [ … ] }).`
      : key === "zstd"
        ? "Zstandard needs Node 22.15 or later."
        : "Pass a compressor for it to createBus({ compressors: [ … ] }).";
  throw new HalyardError("UNKNOWN_COMPRESSION", `No compressor of this bus is named ${shown(name)}. ${advice}`, { details: { contentEncoding: name } });
}
