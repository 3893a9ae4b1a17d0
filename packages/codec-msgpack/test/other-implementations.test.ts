/** What is written here is read by Python's msgpack, and what that writes here. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { msgpack } from "../src/index.ts";
import { hasPython, python } from "./python.ts";

const codec = msgpack();
const numbers = msgpack({ integers64: "number" });
const inPython = (payload: unknown): string => python(["unpack"], codec.encode(payload)).toString().trim();
const fromPython = (expression: string, using = codec): unknown => using.decode(python(["pack"], expression));

describe.runIf(hasPython)("Python's msgpack", () => {
  test.for([
    [{ a: 1, b: [1, 2.5, null, true, "é"] }, "{'a': 1, 'b': [1, 2.5, None, True, 'é']}"],
    [[2n ** 64n - 1n, -(2n ** 63n), 7n], "[18446744073709551615, -9223372036854775808, 7]"],
    [[Number.POSITIVE_INFINITY, -1e300], "[inf, -1e+300]"],
    [Uint8Array.of(0, 255), String.raw`b'\x00\xff'`],
    [new Date(1_795_243_130_682), "datetime.datetime(2026, 11, 21, 6, 38, 50, 682000, tzinfo=datetime.timezone.utc)"],
    [new Date(-1), "datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=datetime.timezone.utc)"],
    [
      new Map<unknown, unknown>([
        ["a", 1],
        [2, new Set([3])],
      ]),
      "{'a': 1, 2: {3}}",
    ],
    ["😀".repeat(100), `'${"😀".repeat(100)}'`],
    [
      [0, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, -1, -32, -33, -128, -129, -32_769],
      "[0, 127, 128, 255, 256, 65535, 65536, 4294967295, -1, -32, -33, -128, -129, -32769]",
    ],
  ] as const)("reads what is written here: $1", ([payload, expected]) => {
    expect(inPython(payload)).toBe(expected);
  });

  test.for([
    ["{'a': 1, 'b': [1, 2.5, None, True, 'é']}", { a: 1, b: [1, 2.5, null, true, "é"] }],
    ["{1: 'int keys', -5: 'become text'}", { 1: "int keys", "-5": "become text" }],
    ["[2**32, 2**53, 2**64 - 1, -2**63]", [2n ** 32n, 2n ** 53n, 2n ** 64n - 1n, -(2n ** 63n)]],
    [String.raw`b'\x00\xff'`, Uint8Array.of(0, 255)],
    ["datetime.datetime(2026, 11, 21, 6, 38, 50, 682317, tzinfo=datetime.timezone.utc)", new Date(1_795_243_130_682)],
    ["datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=datetime.timezone.utc)", new Date(-1)],
    ["datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc)", new Date("0001-01-01T00:00:00Z")],
    ["['x' * n for n in (0, 31, 32, 255, 256, 65535, 65536)]", [0, 31, 32, 255, 256, 65_535, 65_536].map((length) => "x".repeat(length))],
    ["list(range(70000))", Array.from({ length: 70_000 }, (_, index) => index)],
    ["float('inf')", Number.POSITIVE_INFINITY],
  ] as const)("writes what is read here: $0", ([expression, expected]) => {
    assert.deepStrictEqual(fromPython(expression), expected);
  });

  test("writes integers above 32 bits that are numbers here where that was asked for", () => {
    expect(fromPython("{'at': 1795243130682, 'id': 2**63}", numbers)).toEqual({ at: 1_795_243_130_682, id: 2n ** 63n });
  });

  test("writes extensions that are refused here", () => {
    expect(() => fromPython("msgpack.ExtType(5, b'x')")).toThrow(
      expect.objectContaining({ code: "DECODE_FAILED", message: expect.stringContaining("type 5") }),
    );
  });

  test("gives back a thousand generated values as they were", () => {
    const values = fc.sample(fc.jsonValue({ maxDepth: 3 }), { numRuns: 1_000, seed: 1 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
    assert.deepStrictEqual(codec.decode(python(["repack"], codec.encode(values))), values);
  });
});
