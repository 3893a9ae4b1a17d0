import { expect, test } from "vitest";
import { xxhash32 } from "../src/xxhash32.ts";

/** Values of the reference implementation. */
test.for([
  ["", 0x02cc5d05],
  ["a", 0x550d7456],
  ["abc", 0x32d153ff],
  ["abcd", 0xa3643705],
  ["Nobody inspects the spammish repetition", 0xe2293b2f],
] as const)("the hash of %j is the reference's", ([text, hash]) => {
  const bytes = Buffer.from(`before${text}behind`);
  expect(xxhash32(bytes, 6, 6 + text.length)).toBe(hash);
});
