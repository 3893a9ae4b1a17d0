import { expect, test } from "vitest";
import { retryDefaults } from "../src/retry.ts";
import { type ResolvedSubscribeOptions, resolveSubscribeOptions, type SubscribeOptions } from "../src/subscribe-options.ts";

const resolve = (options: SubscribeOptions): ResolvedSubscribeOptions => resolveSubscribeOptions(options, retryDefaults);

test("the defaults of a group and of a live subscription", () => {
  expect(resolve({ group: "g" })).toMatchObject({
    concurrency: 1,
    inFlightMax: 2,
    letterGroup: "g",
    from: "new",
    ordered: false,
    handlerTimeoutMs: 300_000,
    acksOnReceipt: false,
  });
  expect(resolve({})).toMatchObject({ concurrency: 1, inFlightMax: 1_000, letterGroup: undefined, inPlaceMsMax: 30_000, dedup: undefined });
  expect(resolve({ concurrency: 5_000 }).inFlightMax).toBe(10_000);
});

test("dead letters stay with their group; a live subscription may name one; what is acked on receipt has none", () => {
  expect(resolve({ group: "g", deadLetter: false }).letterGroup).toBeUndefined();
  expect(resolve({ group: "g", deadLetter: "g" }).letterGroup).toBe("g");
  expect(resolve({ deadLetter: "audit" }).letterGroup).toBe("audit");
  expect(resolve({ group: "g", ack: "received" })).toMatchObject({ letterGroup: undefined, acksOnReceipt: true });
});

test("retry is taken field by field, dedup gets its bound", () => {
  expect(resolve({ group: "g", retry: { attemptsMax: 2 } }).retry).toEqual({ ...retryDefaults, attemptsMax: 2 });
  expect(resolve({ group: "g", dedup: { windowMs: 5 } }).dedup).toEqual({ windowMs: 5, idsMax: 100_000 });
});

const wrong: unknown[] = [
  { unknown: 1 },
  { concurrency: 0 },
  { concurrency: 1.5 },
  { concurrency: 65_537 },
  { inFlightMax: 0 },
  { inFlightMax: 1_000_001 },
  { concurrency: 4, inFlightMax: 3 },
  { messageTtlMs: 0 },
  { handlerTimeoutMs: -1 },
  { handlerTimeoutMs: "1s" },
  { idleExpiryMs: Number.NaN },
  { inPlaceMsMax: 0 },
  { ack: "sometimes" },
  { exclusive: true },
  { from: "earliest" },
  { group: "g", from: "latest" },
  { group: "g", from: { timeMs: Number.NaN } },
  { group: "g", from: null },
  { group: "g", ordered: "yes" },
  { group: "g", exclusive: 1 },
  { group: "g", expired: "keep" },
  { group: "g", deadLetter: 1 },
  { group: "g", deadLetter: "other" },
  { deadLetter: true },
  { group: "g", dedup: { windowMs: 0 } },
  { group: "g", dedup: { windowMs: 1, idsMax: 0 } },
  { group: "g", retry: { attemptsMax: 0 } },
];

test.for(wrong)("%o is INVALID_OPTIONS", (options) => {
  expect(() => resolve(options as SubscribeOptions)).toThrowError(expect.objectContaining({ code: "INVALID_OPTIONS" }));
});

test("a group's name is checked", () => {
  expect(() => resolve({ group: "no group" })).toThrowError(expect.objectContaining({ code: "INVALID_GROUP" }));
  expect(() => resolve({ deadLetter: "no group" })).toThrowError(expect.objectContaining({ code: "INVALID_GROUP" }));
});
