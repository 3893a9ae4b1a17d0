import { expect, test } from "vitest";
import { type BusOptions, resolveBusOptions } from "../src/bus-options.ts";
import { HalyardError, nonRetryable } from "../src/errors.ts";
import { type Diagnosis, fromLetter, readLetter, toLetter } from "../src/letter.ts";
import { headerBytesMax } from "../src/limits.ts";
import { ownHeaders } from "../src/message.ts";
import type { WireMessage } from "../src/spi/message.ts";
import { FakeBackend, wire } from "./fake-backend.ts";

const { encoding } = resolveBusOptions({ backend: new FakeBackend() } satisfies BusOptions);

const diagnosis = (changes: Partial<Diagnosis> = {}): Diagnosis => ({
  reason: "attempts",
  error: new TypeError("It broke."),
  group: "g",
  attempts: 3,
  deliveries: 4,
  firstFailedAtMs: 1_700_000_004_000,
  nowMs: 1_700_000_005_000,
  ...changes,
});

const read = (letter: WireMessage, copies = 1) => readLetter(letter, "g", copies, encoding);
const bytesOf = (headers: Readonly<Record<string, string>>): number =>
  Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value), 0);

test("a letter tells what happened, and its message is as it was published", () => {
  const message = wire({
    attempt: 3,
    key: "k",
    correlationId: "c",
    expiresAtMs: 1_700_000_009_000,
    headers: { own: "1", [ownHeaders.firstFailedAt]: "1700000001000", [ownHeaders.causationId]: "cause" },
  });
  const letter = read(toLetter(message, diagnosis()), 2);
  expect(letter).toMatchObject({
    id: "m1",
    group: "g",
    reason: "attempts",
    attempts: 3,
    deliveries: 4,
    firstFailedAtMs: 1_700_000_001_000,
    lastFailedAtMs: 1_700_000_005_000,
    deadAtMs: 1_700_000_005_000,
    copies: 2,
    expiresAtMs: 1_700_000_009_000,
    error: { name: "TypeError", message: "It broke.", code: undefined },
    message: { payload: { n: 1 }, key: "k", correlationId: "c", causationId: "cause", headers: { own: "1" } },
  });
  expect(letter.error?.stack).toContain("letter.test.ts");
  expect(Object.keys(letter.message.headers)).toEqual(["own"]);
});

test("a letter does not expire, and does not wait", () => {
  const letter = toLetter(wire({ expiresAtMs: 5, notBeforeMs: 3 }), diagnosis());
  expect([letter.expiresAtMs, letter.notBeforeMs]).toEqual([undefined, undefined]);
});

test("what never ran has no time of failure, and an expired one no error", () => {
  const letter = read(toLetter(wire({ expiresAtMs: 5 }), diagnosis({ reason: "expired", error: undefined, attempts: 0 })));
  expect(letter).toMatchObject({ error: undefined, attempts: 0, firstFailedAtMs: undefined, lastFailedAtMs: undefined, expiresAtMs: 5 });
});

test("what nonRetryable wraps is shown, with its code; other errors of ours are shown themselves", () => {
  const cause = Object.assign(new RangeError("inside"), { code: "E_INSIDE" });
  expect(read(toLetter(wire(), diagnosis({ error: nonRetryable(cause) }))).error).toMatchObject({ name: "RangeError", message: "inside", code: "E_INSIDE" });
  expect(read(toLetter(wire(), diagnosis({ error: nonRetryable("text") }))).error).toMatchObject({ name: "string", message: "text" });
  const timeout = new HalyardError("HANDLER_TIMEOUT", "late");
  expect(read(toLetter(wire(), diagnosis({ error: timeout }))).error).toMatchObject({ name: "HalyardError", code: "HANDLER_TIMEOUT" });
});

test("the stack takes at most 8 KiB, whatever it is written in, and is never cut in half a character", () => {
  for (const character of ["x", "ü", "語", "🎈"]) {
    const error = new Error("deep");
    error.stack = `a${character.repeat(20_000)}`;
    const stack = read(toLetter(wire(), diagnosis({ error }))).error?.stack ?? "";
    expect(Buffer.byteLength(stack)).toBeLessThanOrEqual(8_192);
    expect(Buffer.byteLength(stack)).toBeGreaterThan(8_192 - 5);
    expect(stack.isWellFormed()).toBe(true);
    expect(stack).not.toContain("\uFFFD");
  }
});

test("diagnostics give way to the user's headers, the stack first, and what is left is still told", () => {
  const error = Object.assign(new Error("short"), { stack: "s".repeat(8_000), code: "E" });
  const roomy = toLetter(wire({ headers: { big: "x".repeat(headerBytesMax - 2_000) } }), diagnosis({ error }));
  expect(bytesOf(roomy.headers)).toBeLessThanOrEqual(headerBytesMax);
  expect(read(roomy).error).toEqual({ name: "Error", message: "short", code: "E", stack: undefined });
  expect(read(roomy).message.headers.big).toHaveLength(headerBytesMax - 2_000);

  const full = toLetter(wire({ headers: { big: "x".repeat(headerBytesMax - 3) } }), diagnosis({ error: new Error("m".repeat(2_000)) }));
  expect(read(full)).toMatchObject({ reason: "attempts", attempts: 3, error: { name: "Error", message: "" } });
  expect(read(full).message.headers.big).toHaveLength(headerBytesMax - 3);
});

test("a body that cannot be decoded leaves the payload undefined and the bytes readable", () => {
  const letter = read(toLetter(wire({ body: Buffer.from("{") }), diagnosis({ reason: "decode" })));
  expect(letter.message.payload).toBeUndefined();
  expect(Buffer.from(letter.body).toString()).toBe("{");
});

test("a redriven message is as it was published, but counted, and does not expire", () => {
  const message = wire({ headers: { own: "1", [ownHeaders.attemptsMax]: "9", [ownHeaders.to]: "g", [ownHeaders.unmatched]: "4" }, expiresAtMs: 5 });
  const redriven = fromLetter(toLetter({ ...message, attempt: 3 }, diagnosis()));
  expect(redriven).toMatchObject({ attempt: 1, body: message.body, topic: message.topic, id: message.id, expiresAtMs: undefined, notBeforeMs: undefined });
  expect({ ...redriven.headers }).toEqual({ own: "1", [ownHeaders.attemptsMax]: "9", [ownHeaders.to]: "g", [ownHeaders.redriven]: "1" });
  expect(fromLetter(toLetter(redriven, diagnosis())).headers[ownHeaders.redriven]).toBe("2");
});

test("a letter that others wrote, without diagnostics, can be read", () => {
  expect(read(wire({ attempt: 2 }))).toMatchObject({ reason: "attempts", attempts: 2, error: undefined, deadAtMs: undefined });
});
