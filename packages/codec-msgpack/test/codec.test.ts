import { Packr } from "msgpackr";
import { expect, test } from "vitest";
import { msgpack } from "../src/index.ts";

const codec = msgpack();
const decode = (hex: string, using = codec): unknown => using.decode(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const refusal = (text: string): unknown => expect.objectContaining({ code: "DECODE_FAILED", retryable: false, message: expect.stringContaining(text) });

test("the bytes are those of the specification, maps and texts in their shortest form", () => {
  expect(Buffer.from(codec.encode({ a: 1, b: [1, 2.5, null, true, "é"] })).toString("hex")).toBe("82a16101a1629501cb4004000000000000c0c3a2c3a9");
  expect(Buffer.from(codec.encode(new Map([["a", 1]]))).toString("hex")).toBe("d6" + "4d" + "81a16101");
  expect(Buffer.from(codec.encode(new Set([1, 2]))).toString("hex")).toBe("c703" + "53" + "920102");
  expect(Buffer.from(codec.encode(new Date(1_000))).toString("hex")).toBe("d6ff00000001");
});

test.for([
  ["d4 72 40 91 a1 61 01", "114"],
  ["c7 01 73 90", "115"],
  ["d4 00 00", "type 0"],
  ["c1", "193"],
  ["", "too early"],
  ["c0 c0", "follow behind"],
  ["92 01", "ends before"],
  ["dd ff ff ff ff 01", "ends before"],
  ["a3 61 62", "too early"],
  ["a2 c3 28", "UTF-8"],
  ["d9 0d 61 61 61 61 61 61 61 61 61 61 61 61 ff", "UTF-8"],
  ["a3 ed a0 80", "UTF-8"],
  ["81 c0 01", "neither text"],
  ["81 cb 3f f8 00 00 00 00 00 00 01", "neither text"],
  ["d5 ff 00 00", "timestamp has 2 bytes"],
  ["d7 ff ff ff ff ff 00 00 00 00", "nanoseconds"],
  ["c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff", "beyond"],
  ["c7 03 53 91 01 01", "follow behind the end of a Set"],
  ["d4 53 80", "no list inside"],
  ["d4 4d 90", "no map inside"],
  ["d4 4d 81", "ends"],
] as const)("%s is refused: %s", ([hex, why]) => {
  expect(() => decode(hex)).toThrow(refusal(why));
});

test("keys that are whole numbers become text, the last of equal keys counts, and __proto__ is a plain property", () => {
  expect(decode("82 01 a1 61 d3 ff ff ff ff ff ff ff ff a1 62")).toEqual({ 1: "a", "-1": "b" });
  expect(decode("82 a1 61 01 a1 61 02")).toEqual({ a: 2 });
  const value = decode("81 a9 5f5f70726f746f5f5f 81 a1 78 c3") as { x?: unknown };
  expect(value.x).toBeUndefined();
  expect(Object.keys(value)).toEqual(["__proto__"]);
  expect(Buffer.from(codec.encode(value)).toString("hex")).toBe("81a95f5f70726f746f5f5f81a178c3");
});

test("64-bit integers are bigint, or numbers where a number holds them exactly", () => {
  const numbers = msgpack({ integers64: "number" });
  expect(decode("cf 00 00 00 00 00 00 00 07")).toBe(7n);
  expect(decode("cf 00 00 00 00 00 00 00 07", numbers)).toBe(7);
  expect(decode("d3 ff e0 00 00 00 00 00 01", numbers)).toBe(Number.MIN_SAFE_INTEGER);
  expect(decode("d3 ff e0 00 00 00 00 00 00", numbers)).toBe(-(2n ** 53n));
  expect(decode("cf 00 20 00 00 00 00 00 00", numbers)).toBe(2n ** 53n);
});

test("extensions that are allowed are read, and an error of theirs is DECODE_FAILED", () => {
  const allowing = msgpack({ extensions: [{ type: 5, decode: (data) => ({ five: [...data] }) }] });
  expect(decode("92 d5 05 01 02 c0", allowing)).toEqual([{ five: [1, 2] }, null]);
  expect(() => decode("d5 05 01 02")).toThrow(refusal("extension type 5"));
  const throwing = msgpack({ extensions: [{ type: 5, decode: () => JSON.parse("{") }] });
  expect(() => decode("d4 05 01", throwing)).toThrow(expect.objectContaining({ code: "DECODE_FAILED", cause: expect.any(SyntaxError) }));
});

test("record definitions are read where they are allowed, and never outlive their message", () => {
  const allowing = msgpack({ records: true });
  const value = [{ a: 1, b: "x" }, { a: 2, b: "y" }, { __proto__: null, c: { a: 3, b: "z" } }, 64, 127];
  const senders = [new Packr({ useRecords: true }), new Packr({ useRecords: true, maxOwnStructures: 100 })];
  for (const sender of senders) expect(allowing.decode(sender.pack(value))).toEqual(value);
  const many = Array.from({ length: 90 }, (_, index) => ({ [`k${index}`]: index, other: { [`o${index}`]: 1 } }));
  for (const sender of senders) expect(allowing.decode(sender.pack([...many, ...many]))).toEqual([...many, ...many]);
  expect(decode("40", allowing)).toBe(0x40);
  expect(() => decode("d4 72 40 91 01 01", allowing)).toThrow(refusal("list of keys"));
  const hostile = decode("d4 72 40 91 a9 5f5f70726f746f5f5f 81 a1 78 c3", allowing) as { x?: unknown };
  expect(hostile.x).toBeUndefined();
});

test("the bounds are what the options say", () => {
  const small = msgpack({ depthMax: 2, containersMax: 3 });
  expect(decode("91 91 01", small)).toEqual([[1]]);
  expect(() => decode("91 91 90", small)).toThrow(refusal("deeper than 2"));
  expect(() => decode("93 90 90 90", small)).toThrow(refusal("more than 3"));
  expect(() => small.encode([[[]]])).toThrow(expect.objectContaining({ code: "ENCODE_FAILED", message: expect.stringContaining("deeper than 2") }));
  expect(small.decode(small.encode([[1]]))).toEqual([[1]]);
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  expect(codec.decode(codec.encode(deep(512)))).toEqual(deep(512));
  expect(() => codec.encode(deep(513))).toThrow(expect.objectContaining({ code: "ENCODE_FAILED" }));
});

test.for([
  ["lists", [[], [], []]],
  ["maps", { a: {}, b: {}, c: {} }],
  ["dates and byte arrays", [new Date(0), new Uint8Array(1), Buffer.alloc(1)]],
  ["a Map", [new Map([[1, new Date(0)]])]],
  ["Sets", new Set([new Set()])],
  ["what toJSON states", [{ toJSON: () => [[], []] }]],
  ["maps beside undefined", { a: {}, b: undefined, c: [new Date(0)] }],
] as const)("as many containers are written as are read: %s", ([, payload]) => {
  const bytes = msgpack({ containersMax: 4 }).encode(payload);
  expect(codec.decode(bytes)).toBeDefined();
  expect(msgpack({ containersMax: 4 }).decode(bytes)).toEqual(codec.decode(bytes));
  expect(() => msgpack({ containersMax: 3 }).decode(bytes)).toThrow(refusal("more than 3"));
  expect(() => msgpack({ containersMax: 3 }).encode(payload)).toThrow(
    expect.objectContaining({ code: "ENCODE_FAILED", message: expect.stringMatching(/more than 3 .* split it, or raise containersMax/) }),
  );
});

test.for([
  { depthMax: 0 },
  { depthMax: 1e6 },
  { containersMax: 1.5 },
  { extensions: [{ type: 128, decode: () => 1 }] },
  { extensions: [{ type: 77, decode: () => 1 }] },
  {
    extensions: [
      { type: 1, decode: () => 1 },
      { type: 1, decode: () => 1 },
    ],
  },
  { integers64: "text" as "number" },
])("options out of range are INVALID_OPTIONS: %j", (options) => {
  expect(() => msgpack(options)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
});

test("what cannot be carried is ENCODE_FAILED with its place", () => {
  for (const [payload, place] of [
    [{ a: [1, { b: () => 1 }] }, "payload.a[1].b is a function"],
    [{ a: new Map([["k", [2n ** 64n]]]) }, "payload.a (a value)[0] is a bigint of more than 64 bits"],
    [new Set([Symbol("s")]), "payload (an item) is a symbol"],
    [{ "a b": /x/ }, 'payload["a b"] is a RegExp'],
    [[1, undefined], "payload[1] is undefined"],
    ["half \uD83D", "half a surrogate pair"],
    [{ v: new Float64Array(1) }, "payload.v is a Float64Array"],
  ] as const)
    expect(() => codec.encode(payload)).toThrow(expect.objectContaining({ code: "ENCODE_FAILED", message: expect.stringContaining(place) }));
});

test("objects are written as JSON writes them: undefined left out, toJSON, classes, no prototype", () => {
  class Order {
    readonly id = "o1";
    readonly note = undefined;
  }
  const payload = { gone: undefined, url: new URL("https://example.org/a"), order: new Order(), bare: Object.assign(Object.create(null), { b: 1 }), toJSON: 7 };
  expect(codec.decode(codec.encode(payload))).toEqual({ url: "https://example.org/a", order: { id: "o1" }, bare: { b: 1 }, toJSON: 7 });
  expect(codec.decode(codec.encode(Buffer.from("ab")))).toEqual(Uint8Array.of(97, 98));
});

test("a timestamp with nanoseconds loses what a Date has no room for, and no more", () => {
  expect(decode("d7 ff 00 00 0f a4 00 00 00 01")).toEqual(new Date(1_000));
  expect(decode("c7 0c ff 3b 9a c9 ff ff ff ff ff ff ff ff ff")).toEqual(new Date(-1));
});

test("a large body does not keep the small ones after it in its slab", async () => {
  codec.encode("x".repeat(10_000_000));
  await Promise.resolve();
  expect(codec.encode({ a: 1 }).buffer.byteLength).toBeLessThan(10_000);
});

test("what other code of the process does with msgpackr stays as it was", () => {
  const other = new Packr({ moreTypes: true });
  expect(other.unpack(other.pack({ set: new Set([1]), map: new Map([[1, 2]]) }))).toEqual({ set: new Set([1]), map: new Map([[1, 2]]) });
  expect(() => other.unpack(Buffer.from("d44d80", "hex"))).toThrow("Unknown extension");
});
