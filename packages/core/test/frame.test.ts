import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Clock, systemClock } from "../src/clock.ts";
import type { Codec } from "../src/codec.ts";
import type { Compressor } from "../src/compression.ts";
import { decodeFrame, encodeFrame, inspectFrame } from "../src/frame.ts";

/** Stand for the plug-ins: their own packages test them in frames. */
const msgpack: Codec = { name: "msgpack", contentType: "application/msgpack", encode: () => Buffer.from("c0", "hex"), decode: () => "read by msgpack" };
const lz4: Compressor = { name: "lz4", compress: (bytes) => bytes.subarray(0, 10), decompress: () => Buffer.from('"read by lz4"') };

const clockAt = (timeMs: number): Clock => ({ ...systemClock, nowMs: () => timeMs });

const frameOf = (metadata: unknown, body: Uint8Array | string = "{}"): Buffer => {
  const text = Buffer.from(typeof metadata === "string" ? metadata : JSON.stringify(metadata));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, typeof body === "string" ? Buffer.from(body) : body]);
};

test("a frame is a length, metadata as Python writes them, and the payload", () => {
  const clock = clockAt(Date.UTC(2026, 10, 21, 6, 38, 50, 682));
  const metadata =
    '{"format": "json", "compression": "none", "version": "1.0", "timestamp": "2026-11-21T06:38:50.682000", "original_size": 7, "compressed_size": 7}';
  expect(Buffer.from(encodeFrame({ a: 1 }, { clock })).toString("latin1")).toBe(`\0\0\0${String.fromCharCode(metadata.length)}${metadata}{"a":1}`);
  const whole = encodeFrame(1, { clock: clockAt(0) });
  expect(Buffer.from(whole).toString()).toContain('"timestamp": "1970-01-01T00:00:00"');
});

test("every JSON value comes back", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(decodeFrame(encodeFrame(value))).toStrictEqual(JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 2_000 },
  );
});

test("payloads above 1,024 bytes are compressed, where it makes them smaller", () => {
  const text = (length: number) => "x".repeat(length - 2);
  expect(inspectFrame(encodeFrame(text(1_024)))).toMatchObject({ compression: "none", originalBytes: 1_024, compressedBytes: 1_024 });
  expect(inspectFrame(encodeFrame(text(1_025)))).toMatchObject({ compression: "gzip", originalBytes: 1_025 });
  expect(inspectFrame(encodeFrame(text(1_025), { compressor: "none" }))).toMatchObject({ compression: "none" });
  const incompressible: Codec = { ...msgpack, encode: () => randomBytes(2_000) };
  expect(inspectFrame(encodeFrame(1, { codec: incompressible }))).toMatchObject({ compression: "none", compressedBytes: 2_000 });
  expect(decodeFrame(encodeFrame(text(100_000)))).toBe(text(100_000));
});

test("plug-ins are handed in, and are named by their package where they are missing", () => {
  const packed = encodeFrame(1, { codec: msgpack });
  expect(decodeFrame(packed, { codecs: [msgpack] })).toBe("read by msgpack");
  expect(() => decodeFrame(packed)).toThrow(expect.objectContaining({ code: "UNKNOWN_CODEC", message: expect.stringContaining("@halyard/codec-msgpack") }));
  const small = encodeFrame("x".repeat(2_000), { compressor: lz4 });
  expect(() => decodeFrame(small)).toThrow(
    expect.objectContaining({ code: "UNKNOWN_COMPRESSION", message: expect.stringContaining("@halyard/compression-lz4") }),
  );
  expect(decodeFrame(frameOf({ format: "json", compression: "lz4" }), { compressors: [lz4] })).toBe("read by lz4");
});

test("missing metadata are read as Python reads them: MessagePack, not compressed", () => {
  expect(decodeFrame(frameOf({}), { codecs: [msgpack] })).toBe("read by msgpack");
});

test("pickle is refused by name", () => {
  expect(() => decodeFrame(frameOf({ format: "pickle" }))).toThrow(
    expect.objectContaining({ code: "UNKNOWN_CODEC", message: expect.stringContaining("pickle") }),
  );
});

test("what the format has no name for cannot be written", () => {
  expect(() => encodeFrame(1, { codec: { ...msgpack, name: "cbor" } })).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
  expect(() => encodeFrame(1, { compressor: { ...lz4, name: "br" } })).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
});

test.for([
  ["nothing", Buffer.alloc(0), "too short"],
  ["three bytes", Buffer.alloc(3), "too short"],
  ["a length beyond the end", Buffer.from("000000ff7b7d", "hex"), "ends within"],
  ["a length of 4 GB", Buffer.from("ffffffff7b7d", "hex"), "4294967295"],
  ["metadata that are not JSON", frameOf("{"), "JSON"],
  ["metadata that are a list", frameOf("[]"), "object"],
  ["metadata that are not UTF-8", Buffer.from("00000003ff7b7d", "hex"), "UTF-8"],
  ["a format that is a number", frameOf({ format: 7 }), "format"],
  ["another version", frameOf({ format: "json", version: "2.0" }), "2.0"],
  ["a negative size", frameOf({ format: "json", original_size: -1 }), "original_size"],
  ["a payload that was cut", encodeFrame({ a: 12345 }).subarray(0, -1), "bytes"],
  ["a stated size that is wrong", frameOf({ format: "json", original_size: 2 ** 40 }), "1099511627776"],
] as const)("%s is DECODE_FAILED and says why", ([, bytes, why]) => {
  expect(() => decodeFrame(bytes)).toThrow(expect.objectContaining({ code: "DECODE_FAILED", message: expect.stringContaining(why) }));
});

test.for(["__proto__", "constructor", "toString", 'x"\nforged'])("the format and compression %j are unknown and quoted on one line", (name) => {
  for (const [metadata, code] of [
    [{ format: name }, "UNKNOWN_CODEC"],
    [{ format: "json", compression: name }, "UNKNOWN_COMPRESSION"],
  ] as const)
    expect(() => decodeFrame(frameOf(metadata))).toThrow(expect.objectContaining({ code, message: expect.stringMatching(/^[^\n]*$/) }));
});

test("a bomb that says it is small is stopped at the limit", () => {
  const bomb = gzipSync(Buffer.alloc(200_000_000));
  const frame = frameOf({ format: "json", compression: "gzip", original_size: 10 }, bomb);
  const before = process.memoryUsage().rss;
  expect(() => decodeFrame(frame, { bodyBytesMax: 1_000_000 })).toThrow(expect.objectContaining({ code: "DECODE_FAILED" }));
  expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000);
  expect(() => decodeFrame(encodeFrame("x".repeat(100), { compressor: "none" }), { bodyBytesMax: 50 })).toThrow(
    expect.objectContaining({ code: "DECODE_FAILED" }),
  );
});

test("cut and flipped frames end in an error or a value", () => {
  const frame = Buffer.from(encodeFrame({ text: "y".repeat(2_000) }));
  for (let index = 0; index < frame.length; index++) {
    expect(() => decodeFrame(frame.subarray(0, index))).toThrow(expect.objectContaining({ name: "HalyardError" }));
    const flipped = Buffer.from(frame);
    flipped[index] = (flipped[index] ?? 0) ^ 0x20;
    try {
      decodeFrame(flipped);
    } catch (error) {
      expect(error).toMatchObject({ name: "HalyardError" });
    }
  }
});

test("the time of a frame is read with and without a zone, and a strange one is left out", () => {
  for (const [timestamp, timeMs] of [
    ["2026-11-21T06:38:50.682317", 1_795_243_130_682],
    ["2026-11-21T06:38:50Z", 1_795_243_130_000],
    ["soon", undefined],
    [7, undefined],
  ] as const)
    expect(inspectFrame(frameOf({ timestamp })).timeMs).toBe(timeMs);
});
