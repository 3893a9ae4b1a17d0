/** Frames with the plug-ins in them, and QuantaCirc's Python serializer at the other end. */
import { lz4 } from "@halyard/compression-lz4";
import { gzip, json } from "@halyard/core";
import { decodeFrame, encodeFrame, inspectFrame } from "@halyard/core/frame";
import { describe, expect, test } from "vitest";
import { msgpack } from "../src/index.ts";
import { hasPython, python } from "./python.ts";

const codecs = [json(), msgpack({ integers64: "number" })];
const compressors = [gzip(), lz4()];
const readers = { codecs, compressors };
const combinations = codecs.flatMap((codec) => (["none", ...compressors] as const).map((compressor) => ({ codec, compressor })));
const nameOf = (compressor: (typeof combinations)[number]["compressor"]): string => (compressor === "none" ? "none" : compressor.name);

const small = { step: 7, text: "grüße 東京", list: [1, -2.5, null, true], at: 1_795_243_130_682 };
const large = { rows: Array.from({ length: 8_000 }, (_, index) => ({ id: index, name: `row ${index % 17}` })) };

test.for(combinations)("a frame comes back: $codec.name, $compressor.name", ({ codec, compressor }) => {
  for (const payload of [small, large]) {
    const frame = encodeFrame(payload, { codec, compressor });
    expect(decodeFrame(frame, readers)).toEqual(payload);
    expect(inspectFrame(frame)).toMatchObject({ format: codec.name, compression: payload === large ? nameOf(compressor) : "none" });
  }
});

test("without the plug-ins the error names the package to install", () => {
  const frame = encodeFrame(large, { codec: msgpack(), compressor: lz4() });
  expect(() => decodeFrame(frame, { compressors })).toThrow(
    expect.objectContaining({ code: "UNKNOWN_CODEC", message: expect.stringContaining("@halyard/codec-msgpack") }),
  );
  expect(() => decodeFrame(frame, { codecs })).toThrow(
    expect.objectContaining({ code: "UNKNOWN_COMPRESSION", message: expect.stringContaining("@halyard/compression-lz4") }),
  );
});

test("cut and flipped frames end in an error or a value", () => {
  const frame = Buffer.from(encodeFrame({ text: "y".repeat(2_000), list: [1, 2, 3] }, { codec: msgpack(), compressor: lz4() }));
  for (let index = 0; index < frame.length; index++) {
    expect(() => decodeFrame(frame.subarray(0, index), readers)).toThrow(expect.objectContaining({ name: "HalyardError" }));
    const flipped = Buffer.from(frame);
    flipped[index] = (flipped[index] ?? 0) ^ 0x11;
    try {
      decodeFrame(flipped, readers);
    } catch (error) {
      expect(error).toMatchObject({ name: "HalyardError" });
    }
  }
});

describe.runIf(hasPython)("QuantaCirc's Python", () => {
  const inPython = (payload: unknown): string => JSON.stringify(payload).replaceAll("null", "None").replaceAll("true", "True");

  test.for(combinations)("reads what is written here: $codec.name, $compressor.name", ({ codec, compressor }) => {
    for (const payload of [small, large]) {
      const read = python(["deserialize"], encodeFrame(payload, { codec, compressor })).toString();
      // Whole numbers above 32 bits are fractions in MessagePack, because a number of JavaScript comes back as one.
      expect(JSON.parse(read.replaceAll("'", '"').replaceAll("None", "null").replaceAll("True", "true"))).toEqual(payload);
    }
  });

  test.for(combinations)("writes what is read here: $codec.name, $compressor.name", ({ codec, compressor }) => {
    for (const payload of [small, large]) {
      const frame = python(["serialize", codec.name, nameOf(compressor)], inPython(payload));
      expect(decodeFrame(frame, readers)).toEqual(payload);
      const { format, compression, originalBytes } = inspectFrame(frame);
      expect([format, compression]).toEqual([codec.name, (originalBytes ?? 0) > 1_024 ? nameOf(compressor) : "none"]);
    }
  });

  test("writes metadata as they are written here, byte for byte but for the time", () => {
    const text = (frame: Uint8Array): string =>
      Buffer.from(frame)
        .toString("latin1")
        .replace(/"timestamp": "[^"]*"/, "");
    const withTime = (frame: Uint8Array): string => /"timestamp": "([^"]*)"/.exec(Buffer.from(frame).toString("latin1"))?.[1] ?? "";
    const theirs = python(["serialize", "msgpack", "none"], inPython({ a: 1, b: [1, 2.5, null, true, "é"] }));
    const ours = encodeFrame({ a: 1, b: [1, 2.5, null, true, "é"] }, { codec: msgpack(), compressor: "none" });
    expect(text(ours)).toBe(text(theirs));
    const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$/;
    expect([withTime(ours), withTime(theirs)]).toEqual([expect.stringMatching(form), expect.stringMatching(form)]);
  });

  test("writes pickle, which is refused by name", () => {
    const frame = python(["serialize", "pickle", "none"], "{'a': 1}");
    expect(() => decodeFrame(frame, readers)).toThrow(expect.objectContaining({ code: "UNKNOWN_CODEC", message: expect.stringContaining("pickle") }));
  });
});
