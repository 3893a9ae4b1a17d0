import assert from "node:assert/strict";
import fc from "fast-check";
import { Packr, Unpackr } from "msgpackr";
import { expect, test } from "vitest";
import { msgpack } from "../src/index.ts";

const codec = msgpack();
const numRuns = 10_000;

/** Everything that MessagePack carries here, at most four deep. -0 is not: it arrives as 0, as from JSON. */
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.double().map((number) => (Object.is(number, -0) ? 0 : number)),
      fc.integer(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.string({ unit: "binary", maxLength: 80 }).filter((text) => text.isWellFormed()),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array({ maxLength: 40 }),
    ),
    fc.array(tie("value"), { maxLength: 20 }),
    fc.dictionary(
      fc.string({ unit: "binary" }).filter((key) => key.isWellFormed()),
      tie("value"),
      { maxKeys: 6, noNullPrototype: true },
    ),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 6 }).map((entries) => new Map(entries)),
    fc.array(tie("value"), { maxLength: 6 }).map((items) => new Set(items)),
  ),
})).value;

test("what is encoded comes back as it was", () => {
  fc.assert(
    fc.property(value, (sample) => {
      assert.deepStrictEqual(codec.decode(codec.encode(sample)), sample);
    }),
    { numRuns },
  );
}, 120_000);

test("a message that was cut, flipped or lengthened anywhere ends in DECODE_FAILED or a value", () => {
  fc.assert(
    fc.property(value, fc.nat(), fc.integer({ min: 1, max: 255 }), (sample, place, mask) => {
      const bytes = Buffer.from(codec.encode(sample));
      const cut = bytes.subarray(0, place % bytes.length);
      expect(() => codec.decode(cut)).toThrow(expect.objectContaining({ code: "DECODE_FAILED" }));
      expect(() => codec.decode(Buffer.concat([bytes, Buffer.of(mask)]))).toThrow(expect.objectContaining({ code: "DECODE_FAILED" }));
      bytes[place % bytes.length] = (bytes[place % bytes.length] ?? 0) ^ mask;
      valueOrRefusal(bytes);
    }),
    { numRuns },
  );
}, 120_000);

test("random bytes end in DECODE_FAILED or a value", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), valueOrRefusal), { numRuns: 3 * numRuns });
}, 120_000);

test("msgpackr, without its own extensions, reads what is written here and the other way round", () => {
  const others = { packr: new Packr({ useRecords: false }), unpackr: new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true }) };
  fc.assert(
    fc.property(fc.jsonValue(), (sample) => {
      const plain: unknown = JSON.parse(JSON.stringify(sample).replaceAll("__proto__", "_"));
      assert.deepStrictEqual(others.unpackr.unpack(codec.encode(plain)), plain);
      assert.deepStrictEqual(codec.decode(others.packr.pack(plain)), plain);
    }),
    { numRuns: 2_000 },
  );
}, 60_000);

function valueOrRefusal(bytes: Uint8Array): void {
  try {
    codec.decode(bytes);
  } catch (error) {
    expect(error).toMatchObject({ code: "DECODE_FAILED" });
  }
}
