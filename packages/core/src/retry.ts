/** When to try again, and when to give up: pure decisions, the same numbers on every backend. */
import { HalyardError, isHalyardError } from "./errors.ts";

/** What `decide` may answer about one error: `undefined` leaves it to the policy. */
export type RetryDecision = "retry" | "dead-letter" | { readonly delayMs: number } | undefined;

export interface RetryPolicy {
  /** Handler runs in all, the first included; 1: no retry. Default 5. A message's own `attemptsMax` wins. */
  readonly attemptsMax?: number;
  /** Delay before the second attempt, milliseconds. Default 200. */
  readonly delayMs?: number;
  /** What the delay is multiplied with from attempt to attempt. Default 2. */
  readonly factor?: number;
  /** Upper bound of the delay, milliseconds. Default 30,000. */
  readonly delayMsMax?: number;
  /** Share of the delay that is drawn at random on top of it, 0 to 1, so that retries do not come in waves. Default 0.2. */
  readonly jitter?: number;
  /** Decides by error. An error it throws, or an answer that is none of these (a promise, too), counts as `undefined`. Non-retryable errors are not asked about. */
  readonly decide?: (error: unknown, attempt: number) => RetryDecision;
}

export type ResolvedRetryPolicy = Required<Omit<RetryPolicy, "decide">> & Pick<RetryPolicy, "decide">;

export const retryDefaults: ResolvedRetryPolicy = { attemptsMax: 5, delayMs: 200, factor: 2, delayMsMax: 30_000, jitter: 0.2 };

const known = [...Object.keys(retryDefaults), "decide"];

/** @throws INVALID_OPTIONS */
export function resolveRetry(policy: RetryPolicy | undefined, base: ResolvedRetryPolicy): ResolvedRetryPolicy {
  for (const name of Object.keys(policy ?? {}))
    if (!known.includes(name)) throw new HalyardError("INVALID_OPTIONS", `retry.${name} does not exist. Known: ${known.join(", ")}.`);
  const resolved = { ...base, ...policy };
  const isValid =
    Number.isInteger(resolved.attemptsMax) &&
    resolved.attemptsMax >= 1 &&
    Number.isFinite(resolved.delayMs) &&
    resolved.delayMs >= 0 &&
    resolved.factor >= 1 &&
    Number.isFinite(resolved.factor) &&
    Number.isFinite(resolved.delayMsMax) &&
    resolved.delayMsMax >= 0 &&
    resolved.jitter >= 0 &&
    resolved.jitter <= 1;
  if (!isValid) {
    throw new HalyardError(
      "INVALID_OPTIONS",
      "retry: attemptsMax must be a whole number from 1, delayMs and delayMsMax from 0, factor from 1, jitter from 0 to 1.",
      { details: { retry: { ...policy, decide: undefined } } },
    );
  }
  return resolved;
}

/** Delay after the failure of `attempt` (1, 2, …): grows by `factor` up to `delayMsMax`; jitter is only ever added, so a delay is never shorter than stated. */
export function backoffMs(policy: ResolvedRetryPolicy, attempt: number, random: () => number): number {
  const delayMs = Math.min(policy.delayMsMax, policy.delayMs * policy.factor ** (attempt - 1));
  return Math.round(Math.min(policy.delayMsMax, delayMs * (1 + policy.jitter * random())));
}

/** These would fail in the same way for ever. */
export function isNonRetryable(error: unknown): boolean {
  return (
    isHalyardError(error, "NON_RETRYABLE") ||
    isHalyardError(error, "INVALID_PAYLOAD") ||
    isHalyardError(error, "DECODE_FAILED") ||
    isHalyardError(error, "UNKNOWN_CODEC") ||
    isHalyardError(error, "UNKNOWN_COMPRESSION")
  );
}

export type AfterFailure =
  | { readonly type: "retry"; readonly delayMs: number }
  | { readonly type: "dead-letter"; readonly reason: "attempts" | "non-retryable" };

/** What follows the failure of `attempt`. `attemptsMax`: the message's own limit, if it has one. */
export function decideAfterFailure(
  error: unknown,
  attempt: number,
  attemptsMax: number | undefined,
  policy: ResolvedRetryPolicy,
  random: () => number,
): AfterFailure {
  if (isNonRetryable(error)) return { type: "dead-letter", reason: "non-retryable" };
  const decision = decisionOf(policy, error, attempt);
  if (decision === "dead-letter") return { type: "dead-letter", reason: "non-retryable" };
  if (attempt >= (attemptsMax ?? policy.attemptsMax)) return { type: "dead-letter", reason: "attempts" };
  if (typeof decision === "object" && Number.isFinite(decision?.delayMs)) return { type: "retry", delayMs: Math.max(0, decision.delayMs) };
  return { type: "retry", delayMs: backoffMs(policy, attempt, random) };
}

function decisionOf(policy: ResolvedRetryPolicy, error: unknown, attempt: number): RetryDecision {
  try {
    return policy.decide?.(error, attempt);
  } catch {
    return undefined; // the policy itself is broken: the message must not suffer for it
  }
}
