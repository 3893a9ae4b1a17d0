import { expect, test } from "vitest";
import { isWholeZstd } from "../src/zstd-frames.ts";

// Made with zstd 1.5.7; written out, since Node 20 cannot make them.
const whole: Readonly<Record<string, string>> = {
  "a compressed block with a checksum": "28b52ffd642c0055000018616263010026aa6e082bac9d8f",
  "a compressed block without one": "28b52ffd602c0055000018616263010026aa6e08",
  "no content": "28b52ffd2000010000",
  "a stated size": "28b52ffd602c0055000018616263010026aa6e08",
  "a raw block": "28b52ffd200a51000030313233343536373839",
  "a run": "28b52ffd6488124d0000100707010083d3032c757d2ab7",
  "three blocks": "28b52ffda4e09304005400001007070100fbff39c00202001007039f04072ae4ab43",
};

const frames = Object.entries(whole).map(([name, hex]) => ({ name, bytes: Buffer.from(hex, "hex") }));

test.for(frames)("$name is whole, and no part of it is", ({ bytes }) => {
  expect(isWholeZstd(bytes)).toBe(true);
  for (let length = 0; length < bytes.length; length++) expect(isWholeZstd(Uint8Array.from(bytes.subarray(0, length)))).toBe(false);
});

test("frames one after the other are whole, also with one to skip between them; bytes behind the end are not", () => {
  const [first, second] = frames.map(({ bytes }) => bytes) as [Buffer, Buffer];
  const skipped = Buffer.from("5e2a4d1803000000aabbcc", "hex");
  expect(isWholeZstd(Buffer.concat([first, skipped, second]))).toBe(true);
  for (const rest of ["00", "0000000000000000", "28b52ffd"]) expect(isWholeZstd(Buffer.concat([first, Buffer.from(rest, "hex")]))).toBe(false);
});

test("other bytes are not whole", () => {
  expect(isWholeZstd(new Uint8Array())).toBe(false);
  expect(isWholeZstd(Buffer.from("not zstandard at all"))).toBe(false);
  expect(isWholeZstd(Buffer.alloc(1_000, 0xff))).toBe(false);
});

test("a window into a larger buffer is read by itself", () => {
  const [first] = frames.map(({ bytes }) => bytes) as [Buffer];
  const buffer = Buffer.concat([Buffer.alloc(7, 1), first, Buffer.alloc(7, 1)]);
  expect(isWholeZstd(buffer.subarray(7, 7 + first.length))).toBe(true);
});
