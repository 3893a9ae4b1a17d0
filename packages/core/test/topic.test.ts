import fc from "fast-check";
import { expect, test } from "vitest";
import { assertGroupName, assertMessageId, assertNamespace, assertTopic, isTopic, shown } from "../src/topic.ts";

const word = fc.string({ unit: fc.constantFrom(..."abzABZ019_-"), minLength: 1, maxLength: 12 });

test("1 to 16 words of the alphabet joined by dots are a topic", () => {
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 16 }), (words) => {
      expect(isTopic(words.join("."))).toBe(true);
    }),
    { numRuns: 10_000 },
  );
});

test("the check agrees with a plain regular expression on any text", () => {
  const plain = (text: string): boolean =>
    text.length <= 255 && text.split(".").length <= 16 && /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(text) && !text.endsWith("\n");
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(..."aZ9-_..*# \n\u0000é") }),
    fc.string({ unit: "binary" }),
    fc.array(word, { maxLength: 20 }).map((words) => words.join(".")),
  );
  fc.assert(
    fc.property(text, (candidate) => {
      expect(isTopic(candidate)).toBe(plain(candidate));
    }),
    { numRuns: 20_000 },
  );
});

test("the bounds are exact", () => {
  expect(isTopic("a".repeat(255))).toBe(true);
  expect(isTopic("a".repeat(256))).toBe(false);
  expect(isTopic(Array(16).fill("a").join("."))).toBe(true);
  expect(isTopic(Array(17).fill("a").join("."))).toBe(false);
});

test.for(["", ".", "a.", ".a", "a..b", "a b", "a.*", "#", "a\r\nb", "a\u0000", "größe", "a/b", "a:b", "$SYS", "a>b", "{a}"])(
  "%j is no topic, and the error quotes it",
  (text) => {
    expect(() => assertTopic(text)).toThrow(expect.objectContaining({ code: "INVALID_TOPIC", message: expect.stringContaining(shown(text)) }));
  },
);

test("names that are not even strings are refused like bad ones", () => {
  for (const value of [undefined, null, 1, {}, ["a"], Symbol("s")]) {
    expect(() => assertTopic(value as string)).toThrow(expect.objectContaining({ code: "INVALID_TOPIC" }));
    expect(() => assertGroupName(value as string)).toThrow(expect.objectContaining({ code: "INVALID_GROUP" }));
    expect(() => assertNamespace(value as string)).toThrow(expect.objectContaining({ code: "INVALID_NAMESPACE" }));
    expect(() => assertMessageId(value as string)).toThrow(expect.objectContaining({ code: "INVALID_ID" }));
  }
});

test("groups, namespaces and ids hold to their own alphabets and lengths", () => {
  assertGroupName("a".repeat(64));
  assertNamespace("a-9".padEnd(32, "z"));
  assertMessageId("A.z_9:/-".padEnd(128, "x"));
  for (const name of ["", "a".repeat(65), "a.b", "a b", "a\n"]) expect(() => assertGroupName(name)).toThrow(expect.objectContaining({ code: "INVALID_GROUP" }));
  for (const name of ["", "a".repeat(33), "A", "a_b", "a\n"])
    expect(() => assertNamespace(name)).toThrow(expect.objectContaining({ code: "INVALID_NAMESPACE" }));
  for (const id of ["", "a".repeat(129), "a b", "é", "a\n"]) expect(() => assertMessageId(id)).toThrow(expect.objectContaining({ code: "INVALID_ID" }));
});

test("what is shown is one short line", () => {
  const value = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.double(),
    fc.bigInt(),
    fc.boolean(),
    fc.constantFrom(null, undefined, {}, Symbol("s")),
  );
  fc.assert(
    fc.property(value, (candidate) => {
      const text = shown(candidate);
      expect(text.length).toBeLessThanOrEqual(120);
      expect(text).not.toMatch(/[\r\n]/);
    }),
    { numRuns: 10_000 },
  );
});
