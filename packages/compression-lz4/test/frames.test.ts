import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { lz4 } from "../src/index.ts";
import { frame, skippable } from "./build-frame.ts";

const compressor = lz4();
const bytesMax = 1_000_000;
const decompress = (bytes: Uint8Array): Buffer => Buffer.from(compressor.decompress(bytes, bytesMax));
const refusal = (text: string): unknown => expect.objectContaining({ code: "DECODE_FAILED", retryable: false, message: expect.stringContaining(text) });
const text = (value: string): Buffer => Buffer.from(value);

test("a block reaches into the one before it, and a match may repeat itself", () => {
  const linked = frame({ blocks: [{ stored: text("abcdefgh") }, { packed: Buffer.from("2058590a00505a5a5a5a5a", "hex") }] });
  expect(decompress(linked).toString()).toBe("abcdefghXYabcdZZZZZ");
  const repeating = frame({ blocks: [{ packed: Buffer.from("2661620200506c61737421", "hex") }] });
  expect(decompress(repeating).toString()).toBe(`ab${"ab".repeat(5)}last!`);
});

test("frames follow one another, and what is to be skipped is", () => {
  const [a, b] = [compressor.compress(text("a".repeat(100))), compressor.compress(text("b".repeat(100)))];
  expect(decompress(Buffer.concat([skippable(text("index")), a, skippable(Buffer.alloc(0)), b])).toString()).toBe("a".repeat(100) + "b".repeat(100));
  const half = compressor.compress(Buffer.alloc(600_000));
  expect(() => decompress(Buffer.concat([half, half]))).toThrow(refusal("1000000"));
});

test.for([
  ["nothing", Buffer.alloc(0), "empty"],
  ["another magic", Buffer.from("0000000000000000", "hex"), "begin"],
  ["bytes behind the end", Buffer.concat([compressor.compress(text("x")), text("more")]), "begin"],
  ["another version", frame({ flags: 0x80, blocks: [] }), "version"],
  ["a reserved bit", frame({ flags: 0x42, blocks: [] }), "reserved"],
  ["a dictionary", frame({ flags: 0x41, blocks: [] }), "dictionary"],
  ["a block size of 16 KiB", frame({ sizes: 0x30, blocks: [] }), "block size"],
  ["a header that was changed", Buffer.from(frame({ blocks: [] }).fill(0x60, 4, 5)), "header"],
  ["a content size that is too small", frame({ contentBytes: 1n, blocks: [{ stored: text("xy") }] }), "states 1 bytes and holds 2"],
  ["a content size that is too large", frame({ contentBytes: 2n ** 63n, blocks: [{ stored: text("xy") }] }), "holds 2"],
  ["a stored block above the frame's size", frame({ sizes: 0x40, blocks: [{ stored: Buffer.alloc(65_537) }] }), "larger"],
  [
    "a packed block that holds more than the frame's size",
    frame({ sizes: 0x40, blocks: [{ packed: Buffer.from(`1f000100${"ff".repeat(300)}001000`, "hex") }] }),
    "more than its frame",
  ],
  ["an offset of zero", frame({ blocks: [{ packed: Buffer.from("10410000100041", "hex") }] }), "before the beginning"],
  [
    "an offset before the frame",
    Buffer.concat([frame({ blocks: [{ stored: text("secret") }] }), frame({ blocks: [{ packed: Buffer.from("104102001041", "hex") }] })]),
    "before the beginning",
  ],
  [
    "an offset before an independent block",
    frame({ flags: 0x60, blocks: [{ stored: text("abcd") }, { packed: Buffer.from("104102001041", "hex") }] }),
    "before the beginning",
  ],
  ["a block without last literals", frame({ blocks: [{ packed: Buffer.from("10410100", "hex") }] }), "last literals"],
  ["literals beyond the block", frame({ blocks: [{ packed: Buffer.from("5041", "hex") }] }), "within its literals"],
  ["a block without its end mark", frame({ blocks: [{ stored: text("x") }] }).subarray(0, -4), "too early"],
] as const)("%s is DECODE_FAILED and says why", ([, bytes, why]) => {
  expect(() => decompress(bytes)).toThrow(refusal(why));
});

test("a content size that nobody has to believe makes no room", () => {
  const before = process.memoryUsage().arrayBuffers;
  const liar = frame({ contentBytes: 2n ** 40n, blocks: [{ stored: text("x") }] });
  for (let index = 0; index < 1_000; index++) expect(() => compressor.decompress(liar, 2 ** 30)).toThrow(refusal("holds 1"));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
});

test("a small body does not keep a large buffer alive", () => {
  expect(compressor.decompress(compressor.compress(randomBytes(10_000)), 20_000).buffer.byteLength).toBeLessThan(30_001);
  expect(compressor.decompress(compressor.compress(text("x")), bytesMax).buffer.byteLength).toBeLessThan(10_000);
});

/** Bytes in which LZ4 finds matches of all lengths and offsets. */
const body = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(400)).map(([unit, times]) => Buffer.alloc(unit.length * times, unit)),
    ),
    {
      maxLength: 12,
    },
  )
  .map((parts) => Buffer.concat(parts));

test("what is compressed comes back as it was", () => {
  fc.assert(
    fc.property(body, (bytes) => {
      expect(Buffer.from(compressor.decompress(compressor.compress(bytes), bytes.length)).equals(bytes)).toBe(true);
    }),
    { numRuns: 10_000 },
  );
}, 120_000);

test("a body that was cut or flipped anywhere is DECODE_FAILED, and never other bytes", () => {
  fc.assert(
    fc.property(body, fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, place, mask) => {
      const small = Buffer.from(compressor.compress(bytes));
      expect(() => decompress(small.subarray(0, place % small.length))).toThrow(expect.objectContaining({ code: "DECODE_FAILED" }));
      small[place % small.length] = (small[place % small.length] ?? 0) ^ mask;
      const back = bytesOrRefusal(small);
      // A skippable frame in place of ours holds nothing; every other change is found by a checksum.
      if (back !== undefined) expect(back.equals(bytes)).toBe(true);
    }),
    { numRuns: 10_000 },
  );
}, 120_000);

test("random bytes, alone and as blocks of a frame, end in DECODE_FAILED or in no more than was allowed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      bytesOrRefusal(bytes);
      bytesOrRefusal(frame({ blocks: [{ stored: text("some text before") }, { packed: Buffer.from(bytes) }] }));
    }),
    { numRuns: 20_000 },
  );
}, 120_000);

function bytesOrRefusal(bytes: Uint8Array): Buffer | undefined {
  try {
    const back = decompress(bytes);
    expect(back.length).toBeLessThanOrEqual(bytesMax);
    return back;
  } catch (error) {
    expect(error).toMatchObject({ code: "DECODE_FAILED" });
    return undefined;
  }
}
