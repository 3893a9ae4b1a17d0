import { json } from "@halyard/core";
import { describeCodec } from "../src/codec-suite.ts";

const cycle: { self?: unknown } = {};
cycle.self = cycle;

describeCodec("json", {
  create: json,
  refuses: [undefined, () => 1, Symbol("s"), 1n, { deep: [1n] }, cycle],
  hostile: {
    "a million open brackets": Buffer.alloc(1_000_000, "["),
    "a million open objects": Buffer.from('{"a":'.repeat(1_000_000)),
    "a number of a million digits": Buffer.alloc(1_000_000, "9"),
    "a million repeated keys": Buffer.from(`{${'"__proto__":1,'.repeat(1_000_000)}"a":1}`),
  },
});
