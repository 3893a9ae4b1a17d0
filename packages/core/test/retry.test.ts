import { expect, test } from "vitest";
import { HalyardError, nonRetryable } from "../src/errors.ts";
import { backoffMs, decideAfterFailure, isNonRetryable, type ResolvedRetryPolicy, type RetryPolicy, resolveRetry, retryDefaults } from "../src/retry.ts";

const policy = (changes: RetryPolicy = {}): ResolvedRetryPolicy => resolveRetry(changes, retryDefaults);
const half = (): number => 0.5;

test("the delay doubles up to its maximum; jitter is only ever added, and not beyond the maximum", () => {
  const delays = (random: () => number) => Array.from({ length: 10 }, (_, index) => backoffMs(policy(), index + 1, random));
  expect(delays(() => 0)).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
  expect(delays(() => 0.999_999)).toEqual([240, 480, 960, 1_920, 3_840, 7_680, 15_360, 30_000, 30_000, 30_000]);
});

test("a delay that grows beyond every number stays at its maximum", () => {
  expect(backoffMs(policy({ attemptsMax: 10_000 }), 5_000, half)).toBe(30_000);
});

test("options are taken field by field from the bus's policy", () => {
  expect(resolveRetry({ delayMs: 5 }, policy({ attemptsMax: 9 }))).toMatchObject({ attemptsMax: 9, delayMs: 5, factor: 2 });
});

test.for<RetryPolicy>([
  { attemptsMax: 0 },
  { attemptsMax: 1.5 },
  { delayMs: -1 },
  { delayMs: Number.NaN },
  { factor: 0.5 },
  { factor: Number.POSITIVE_INFINITY },
  { delayMsMax: -1 },
  { jitter: 2 },
  { jitter: Number.NaN },
])("%o is INVALID_OPTIONS", (wrong) => {
  expect(() => policy(wrong)).toThrowError(expect.objectContaining({ code: "INVALID_OPTIONS" }));
});

test("an unknown field of the policy is refused, not ignored", () => {
  const misspelt: object = { attempts: 3 };
  expect(() => policy(misspelt)).toThrowError(expect.objectContaining({ code: "INVALID_OPTIONS" }));
});

test("the last attempt is followed by a dead letter; a message's own number of attempts wins", () => {
  expect(decideAfterFailure(new Error(), 4, undefined, policy(), half)).toEqual({ type: "retry", delayMs: 1_760 });
  expect(decideAfterFailure(new Error(), 5, undefined, policy(), half)).toEqual({ type: "dead-letter", reason: "attempts" });
  expect(decideAfterFailure(new Error(), 5, 6, policy(), half).type).toBe("retry");
  expect(decideAfterFailure(new Error(), 1, 1, policy(), half).type).toBe("dead-letter");
});

test.for(["NON_RETRYABLE", "INVALID_PAYLOAD", "DECODE_FAILED", "UNKNOWN_CODEC", "UNKNOWN_COMPRESSION"] as const)(
  "%s is never retried, whatever the policy says",
  (code) => {
    const error = new HalyardError(code, "no");
    expect(isNonRetryable(error)).toBe(true);
    expect(decideAfterFailure(error, 1, undefined, policy({ decide: () => "retry" }), half)).toEqual({ type: "dead-letter", reason: "non-retryable" });
  },
);

test("nonRetryable wraps anything", () => {
  for (const cause of [new Error("x"), "text", undefined, Object.create(null)]) expect(isNonRetryable(nonRetryable(cause))).toBe(true);
});

test("decide has a say: dead letter at once, a delay of its own, retry, or nothing", () => {
  const after = (decide: RetryPolicy["decide"], attempt = 1) => decideAfterFailure(new Error("x"), attempt, undefined, policy(decide && { decide }), half);
  expect(after(() => "dead-letter")).toEqual({ type: "dead-letter", reason: "non-retryable" });
  expect(after(() => ({ delayMs: 77 }))).toEqual({ type: "retry", delayMs: 77 });
  expect(after(() => ({ delayMs: -5 }))).toEqual({ type: "retry", delayMs: 0 });
  expect(after(() => "retry")).toEqual({ type: "retry", delayMs: 220 });
  expect(after(() => undefined)).toEqual({ type: "retry", delayMs: 220 });
  expect(after((_, attempt) => ({ delayMs: attempt }), 3)).toEqual({ type: "retry", delayMs: 3 });
  // It cannot make more attempts than there are.
  expect(after(() => "retry", 5)).toEqual({ type: "dead-letter", reason: "attempts" });
});

test("a decide that throws, or answers nonsense, counts as undecided", () => {
  const after = (decide: () => never) => decideAfterFailure(new Error("x"), 1, undefined, policy({ decide }), half);
  expect(
    after(() => {
      throw new Error("broken");
    }),
  ).toEqual({ type: "retry", delayMs: 220 });
  for (const nonsense of [null, {}, { delayMs: Number.NaN }, { delayMs: "soon" }, Promise.resolve("retry"), "later", 5])
    expect(after(() => nonsense as never)).toEqual({ type: "retry", delayMs: 220 });
});
