import { describeCodec } from "@halyard/testkit";
import { Packr } from "msgpackr";
import { msgpack } from "../src/index.ts";

const cycle: { self?: unknown } = {};
cycle.self = cycle;

const bytes = (hex: string): Uint8Array => Buffer.from(hex, "hex");
const repeated = (hex: string, times: number, tail = ""): Uint8Array => Buffer.concat([Buffer.alloc((hex.length / 2) * times, hex, "hex"), bytes(tail)]);

describeCodec("msgpack", {
  create: () => msgpack(),
  carries: [
    new Date(0),
    new Date(1_795_243_130_682),
    new Date(-1),
    new Date(8.64e15),
    new Date(-8.64e15),
    new Date(2 ** 32 * 1_000),
    0n,
    -1n,
    2n ** 53n + 1n,
    2n ** 63n,
    2n ** 64n - 1n,
    -(2n ** 63n),
    new Uint8Array(),
    Uint8Array.of(0, 255),
    new Uint8Array(300).fill(7),
    new Uint8Array(70_000).fill(7),
    new Map<unknown, unknown>([
      ["a", 1],
      [2, new Map([[new Date(0), new Set([1n])]])],
      [null, []],
    ]),
    new Map(),
    new Set(),
    new Set<unknown>(["a", 1, { b: [Uint8Array.of(1)] }, new Set([new Map()])]),
    new Map(Array.from({ length: 70_000 }, (_, index) => [index, String(index)])),
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    { deep: { at: new Date(5), set: new Set([1]), id: 7n } },
  ],
  refuses: [
    undefined,
    () => 1,
    Symbol("s"),
    2n ** 64n,
    -(2n ** 63n) - 1n,
    [undefined],
    { call: () => 1 },
    { pattern: /x/ },
    new Error("e"),
    new Float32Array(2),
    new ArrayBuffer(2),
    new Date(Number.NaN),
    "\uD800",
    { "\uDC00": 1 },
    Promise.resolve(),
    cycle,
  ],
  hostile: {
    "a record definition of msgpackr": new Packr({ useRecords: true }).pack([{ a: 1 }, { a: 2 }]),
    "a record whose keys are no list": bytes("d4724001"),
    "a bundle of strings": new Packr({ useRecords: false, bundleStrings: true }).pack(["aaaaaaaaaaa", "bbbbbbbbbbbbb"]),
    "a regular expression that never ends": new Packr({ useRecords: false, moreTypes: true }).pack(/(a+)+$/),
    "a reference to itself": bytes("d6690000000191d67000000001"),
    "a million open lists": repeated("91", 1_000_000),
    "a million open maps": repeated("81a161", 1_000_000),
    "a million open sets": repeated("c9000fffff53", 1_000_000),
    "a thousand lists that each claim 65,535": repeated("dcffff", 500),
    "a list of 4 billion": bytes("ddffffffff"),
    "a map of 4 billion": bytes("dfffffffff"),
    "a text of 4 GB": bytes("dbffffffff"),
    "bytes of 4 GB": bytes("c6ffffffff"),
    "an extension of 4 GB": bytes("c9ffffffff4d"),
    "16 million empty maps": Buffer.concat([bytes("dd00ffffff"), Buffer.alloc(0xffffff, 0x80)]),
    "8 million empty byte arrays": Buffer.concat([bytes("dd007fffff"), Buffer.alloc(2 * 0x7fffff, "c400", "hex")]),
    "a bigint of a megabyte": Buffer.concat([bytes("c90010000042"), Buffer.alloc(1_048_576, 0x7f)]),
    "a key __proto__": bytes("81a95f5f70726f746f5f5f81a8706f6c6c75746564c3"),
    "a key that is a list of lists": bytes("8191919101c0"),
  },
});
