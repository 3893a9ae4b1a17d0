import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { brotli, type Compressor, CompressorRegistry, compressed, compressionThresholdBytes, deflate, gzip, hasZstd, zstd } from "../src/compression.ts";

const builtIn: readonly Compressor[] = [gzip(), deflate(), brotli(), ...(hasZstd ? [zstd()] : [])];
const prose = Buffer.from("All work and no play makes Jack a dull boy. ".repeat(200));

test.for(builtIn)("$name gives back what it was given, up to the limit exactly", (compressor) => {
  for (const bytes of [new Uint8Array(), Uint8Array.of(0), prose, Buffer.alloc(1_000_000, 7)]) {
    expect(Buffer.from(compressor.decompress(compressor.compress(bytes), bytes.byteLength)).equals(bytes)).toBe(true);
  }
});

test.for(builtIn)("$name refuses one byte above the limit with DECODE_FAILED that says the limit", (compressor) => {
  const small = compressor.compress(prose);
  expect(() => compressor.decompress(small, prose.length - 1)).toThrow(
    expect.objectContaining({
      code: "DECODE_FAILED",
      retryable: false,
      message: expect.stringContaining(String(prose.length - 1)),
      details: { bytesMax: prose.length - 1 },
    }),
  );
  expect(() => compressor.decompress(compressor.compress(Uint8Array.of(1)), 0)).toThrow(expect.objectContaining({ code: "DECODE_FAILED" }));
});

test.for(builtIn)("$name refuses damaged and foreign bytes with DECODE_FAILED", (compressor) => {
  const small = compressor.compress(prose);
  for (const bytes of [small.subarray(0, -1), small.subarray(0, 3), new Uint8Array(), Buffer.from("not compressed at all"), Buffer.alloc(100, 255)]) {
    expect(() => compressor.decompress(bytes, 1_000_000)).toThrow(expect.objectContaining({ code: "DECODE_FAILED", retryable: false }));
  }
});

const zeros = Buffer.alloc(200_000_000);
test.for([
  { compressor: gzip(), bomb: gzipSync(zeros) },
  { compressor: deflate(), bomb: deflateSync(zeros) },
  { compressor: brotli(), bomb: brotliCompressSync(zeros, { params: { 1: 4 } }) },
])("$compressor.name stops a bomb of 200 MB at the limit", ({ compressor, bomb }) => {
  expect(bomb.length).toBeLessThan(200_000);
  const before = process.memoryUsage();
  const startMs = performance.now();
  expect(() => compressor.decompress(bomb, 1_000_000)).toThrow(expect.objectContaining({ code: "DECODE_FAILED" }));
  // 1 to 11 ms and at most 5 MB were measured; the whole bomb takes 150 ms and 200 MB.
  expect(performance.now() - startMs).toBeLessThan(1_000);
  const { rss, arrayBuffers } = process.memoryUsage();
  expect(Math.max(rss - before.rss, arrayBuffers - before.arrayBuffers)).toBeLessThan(50_000_000);
});

test("a body below the threshold, or one that would not become smaller, is sent as it is", () => {
  const small = prose.subarray(0, compressionThresholdBytes - 1);
  expect(compressed(gzip(), small)).toBeUndefined();
  expect(compressed(gzip(), prose.subarray(0, compressionThresholdBytes))).toBeDefined();
  expect(compressed(gzip(), small, 0)?.byteLength).toBeLessThan(small.length);
  const random = crypto.getRandomValues(new Uint8Array(4_096));
  expect(compressed(gzip(), random)).toBeUndefined();
});

test("compressors are found by name, by content encoding in any letter case, and by their other spellings", () => {
  const registry = new CompressorRegistry();
  for (const [name, expected] of [
    ["gzip", "gzip"],
    ["GZIP", "gzip"],
    ["x-gzip", "gzip"],
    ["deflate", "deflate"],
    ["br", "br"],
    ["brotli", "br"],
  ] as const) {
    expect(registry.named(name).name).toBe(expected);
  }
});

test("a given compressor joins the built-in ones or takes the place of its namesake", () => {
  const mine: Compressor = { ...gzip({ level: 1 }) };
  const lz4: Compressor = { ...mine, name: "lz4" };
  const registry = new CompressorRegistry([mine, lz4]);
  expect(registry.named("gzip")).toBe(mine);
  expect(registry.named("lz4")).toBe(lz4);
});

test("an unknown content encoding is UNKNOWN_COMPRESSION and names it, quoted, and the package that reads it", () => {
  const registry = new CompressorRegistry();
  expect(() => registry.named("lz4")).toThrow(
    expect.objectContaining({ code: "UNKNOWN_COMPRESSION", message: expect.stringContaining("@halyard/compression-lz4"), details: { contentEncoding: "lz4" } }),
  );
  for (const name of ["", "snappy\nforged line", "__proto__", "constructor"]) {
    expect(() => registry.named(name)).toThrow(
      expect.objectContaining({ code: "UNKNOWN_COMPRESSION", message: expect.stringMatching(/^[^\n]*createBus[^\n]*$/) }),
    );
  }
});

test.runIf(!hasZstd)("Zstandard says which Node it needs where this one does not have it", () => {
  expect(() => zstd()).toThrow(expect.objectContaining({ code: "UNSUPPORTED", message: expect.stringContaining("22.15") }));
  expect(() => new CompressorRegistry().named("zstd")).toThrow(
    expect.objectContaining({ code: "UNKNOWN_COMPRESSION", message: expect.stringContaining("22.15") }),
  );
});

test("a level out of range is INVALID_OPTIONS", () => {
  for (const make of [() => gzip({ level: 0 }), () => deflate({ level: 10 }), () => brotli({ level: 12 }), () => gzip({ level: 1.5 })]) {
    expect(make).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
  }
});
