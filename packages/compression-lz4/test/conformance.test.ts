import { describeCompressor } from "@halyard/testkit";
import { lz4 } from "../src/index.ts";
import { frame, skippable } from "./build-frame.ts";

describeCompressor("lz4", {
  create: lz4,
  hasChecksum: true,
  hostile: {
    "a content size of 2^63": frame({ contentBytes: 2n ** 63n, blocks: [{ stored: Buffer.from("x") }] }),
    "a match that repeats a zero for 4 MiB, forty times": frame({ blocks: Array.from({ length: 40 }, () => ({ packed: longMatch(4_000_000) })) }),
    "a match from before the beginning": frame({ blocks: [{ packed: Buffer.from("10410500", "hex") }] }),
    "a length without an end": frame({ blocks: [{ packed: Buffer.alloc(60_000, 0xff) }] }),
    "a block of 2 GB": Buffer.concat([frame({ blocks: [] }).subarray(0, 7), Buffer.from("ffffff7f", "hex")]),
    "a skippable frame of 4 GB": Buffer.from("502a4d18ffffffff", "hex"),
    "a hundred thousand empty frames": Buffer.concat(Array.from({ length: 100_000 }, () => frame({ blocks: [] }))),
    "a hundred thousand skippable frames": Buffer.concat(Array.from({ length: 100_000 }, () => skippable(Buffer.alloc(0)))),
  },
});

/** One zero and a match of it with so many bytes, then the last literals. */
function longMatch(length: number): Buffer {
  const rest = length - 4 - 15;
  return Buffer.concat([Buffer.from("1f000100", "hex"), Buffer.alloc(Math.floor(rest / 255), 255), Buffer.of(rest % 255), Buffer.from("1000", "hex")]);
}
