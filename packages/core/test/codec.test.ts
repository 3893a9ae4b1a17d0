import fc from "fast-check";
import { expect, test } from "vitest";
import { type Codec, CodecRegistry, json } from "../src/codec.ts";

const codec = json();
const decodeText = (text: string): unknown => codec.decode(new TextEncoder().encode(text));

test("JSON keeps every JSON value", () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
      const expected = JSON.parse(JSON.stringify(value));
      expect(codec.decode(codec.encode(value))).toStrictEqual(expected);
    }),
    { numRuns: 10_000 },
  );
});

test("any string survives, lone surrogates and the replacement character included", () => {
  for (const text of ["", "\uFFFD", "a\uFFFDé", "\uD800", "\uDFFF\uD800", "\u0000", "😀", "\uFEFFx"]) expect(codec.decode(codec.encode(text))).toBe(text);
});

test("what has no JSON is ENCODE_FAILED", () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  for (const payload of [undefined, () => 1, Symbol("s"), 1n, { deep: [1n] }, cycle]) {
    expect(() => codec.encode(payload)).toThrow(expect.objectContaining({ code: "ENCODE_FAILED", retryable: false }));
  }
});

test.for([
  [Number.NaN, "payload is NaN"],
  [{ a: [1, { b: Number.POSITIVE_INFINITY }] }, "payload.a[1].b is Infinity"],
  [{ total: -1 / 0 }, "payload.total is -Infinity"],
  [{ map: new Map([[1, 2]]) }, "payload.map is a Map"],
  [[new Set([1])], "payload[0] is a Set"],
  [{ deep: { call: () => 1 } }, "payload.deep.call is a function"],
  [{ "a b": Symbol("s") }, 'payload["a b"] is a symbol'],
  [{ list: [1, undefined] }, "payload.list[1] is undefined"],
  [{ list: new Array<number>(2) }, "payload.list[0] is undefined"],
  [{ deep: [1n] }, "payload.deep[0] is a bigint"],
  [{ bytes: new Uint8Array(2) }, "payload.bytes is a Uint8Array"],
  [{ bytes: Buffer.from("a") }, "payload.bytes is a Buffer"],
  [{ vector: new Float32Array(2) }, "payload.vector is a Float32Array"],
  [{ bytes: new ArrayBuffer(2) }, "payload.bytes is an ArrayBuffer"],
  [{ error: new RangeError("r") }, "payload.error is an Error"],
  [{ pattern: /x/ }, "payload.pattern is a RegExp"],
  [{ at: new Date(Number.NaN) }, "payload.at is a Date that is no date"],
  [{ result: Promise.resolve(1) }, "payload.result is a Promise"],
  [
    new (class Order {
      price = Number.NaN;
    })(),
    "payload.price is NaN",
  ],
  [{ money: { toJSON: () => ({ amount: Number.NaN }) } }, "payload.money.amount is NaN"],
] as const)("what JSON would change is ENCODE_FAILED with its place: $1", ([payload, place]) => {
  expect(() => codec.encode(payload)).toThrow(
    expect.objectContaining({ code: "ENCODE_FAILED", retryable: false, message: expect.stringContaining(place), details: { path: place.split(" is ")[0] } }),
  );
});

test("json({ lossy: true }) takes what JSON changes, and refuses what has no JSON at all", () => {
  const lossy = json({ lossy: true });
  const back = lossy.decode(lossy.encode({ nan: Number.NaN, map: new Map([[1, 2]]), call: () => 1, list: [undefined], bytes: new Uint8Array(1) }));
  expect(back).toEqual({ nan: null, map: {}, list: [null], bytes: { 0: 0 } });
  for (const payload of [undefined, 1n, () => 1]) expect(() => lossy.encode(payload)).toThrow(expect.objectContaining({ code: "ENCODE_FAILED" }));
});

test("what everybody expects of JSON passes: dates as text, undefined properties left out, toJSON, classes, objects without a prototype", () => {
  class Order {
    readonly id = "o1";
    readonly items = [{ sku: "a", note: undefined }];
  }
  const bare = Object.assign(Object.create(null), { b: 1 });
  const payload = {
    at: new Date(0),
    gone: undefined,
    url: new URL("https://example.org/a"),
    order: new Order(),
    bare,
    boxed: Object(7),
  };
  expect(codec.decode(codec.encode(payload))).toEqual({
    at: "1970-01-01T00:00:00.000Z",
    url: "https://example.org/a",
    order: { id: "o1", items: [{ sku: "a" }] },
    bare: { b: 1 },
    boxed: 7,
  });
});

test("a bigint that was given a toJSON is written as that says", () => {
  const prototype = BigInt.prototype as { toJSON?: () => string };
  prototype.toJSON = function (this: bigint) {
    return this.toString();
  };
  try {
    expect(codec.decode(codec.encode({ id: 2n ** 64n }))).toEqual({ id: "18446744073709551616" });
  } finally {
    delete prototype.toJSON;
  }
});

test("a payload nested too deep for the stack is ENCODE_FAILED, not a crash", () => {
  let payload: unknown = 1;
  for (let depth = 0; depth < 100_000; depth++) payload = [payload];
  expect(() => codec.encode(payload)).toThrow(expect.objectContaining({ code: "ENCODE_FAILED" }));
});

test("bytes that are not UTF-8 are refused where they would be read as U+FFFD", () => {
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc3, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
  ]) {
    expect(() => codec.decode(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: "DECODE_FAILED", message: expect.stringContaining("UTF-8") }));
  }
  expect(decodeText('"\uFFFD"')).toBe("\uFFFD");
});

test("bytes that are not JSON are DECODE_FAILED with the parser's words", () => {
  for (const text of ["", "{", "undefined", "{'a':1}", "1 2", "\uFEFF1"]) {
    expect(() => decodeText(text)).toThrow(expect.objectContaining({ code: "DECODE_FAILED", retryable: false, cause: expect.any(SyntaxError) }));
  }
});

test("a Uint8Array that is a window into a larger buffer decodes its own bytes only", () => {
  const buffer = new TextEncoder().encode('xx{"a":1}yy');
  expect(codec.decode(buffer.subarray(2, 9))).toEqual({ a: 1 });
});

test("a __proto__ in the body becomes a plain property and changes no prototype", () => {
  const decoded = decodeText('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}') as { polluted?: unknown };
  expect(decoded.polluted).toBeUndefined();
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

const other: Codec = { name: "msgpack", contentType: "application/msgpack", encode: () => new Uint8Array(), decode: () => "msgpack" };

test("codecs are found by name on the way out", () => {
  const registry = new CodecRegistry([other]);
  expect(registry.named("json").contentType).toBe("application/json");
  expect(registry.named("msgpack")).toBe(other);
});

test("codecs are found by content type on the way in, without parameters and letter case", () => {
  const registry = new CodecRegistry([other]);
  for (const contentType of ["application/json", "application/json; charset=utf-8", "Application/JSON", " application/json ;x"]) {
    expect(registry.reading(contentType).name).toBe("json");
  }
  for (const contentType of ["APPLICATION/MSGPACK", "application/x-msgpack", "application/vnd.msgpack; v=5"]) expect(registry.reading(contentType)).toBe(other);
});

test("a given codec takes the place of the built-in one", () => {
  const mine: Codec = { ...json(), decode: () => "mine" };
  const registry = new CodecRegistry([mine]);
  expect(registry.named("json")).toBe(mine);
  expect(registry.reading("application/json")).toBe(mine);
});

test("an unknown content type is UNKNOWN_CODEC and names it, quoted, and the package that reads it", () => {
  const registry = new CodecRegistry();
  for (const contentType of ["application/msgpack", "application/X-msgpack; v=5"]) {
    expect(() => registry.reading(contentType)).toThrow(
      expect.objectContaining({ code: "UNKNOWN_CODEC", message: expect.stringContaining("@halyard/codec-msgpack"), details: { contentType } }),
    );
  }
  expect(() => registry.named("msgpack")).toThrow(expect.objectContaining({ message: expect.stringContaining("@halyard/codec-msgpack") }));
  for (const contentType of ["", "text/plain\nforged line", "__proto__", "constructor"]) {
    expect(() => registry.reading(contentType)).toThrow(
      expect.objectContaining({ code: "UNKNOWN_CODEC", message: expect.stringMatching(/^[^\n]*createBus[^\n]*$/) }),
    );
  }
});
