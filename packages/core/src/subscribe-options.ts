/** What a subscription may be told, and the checks that need no broker. */
import { HalyardError } from "./errors.ts";
import { assertKnownOptions } from "./known-options.ts";
import { type ResolvedRetryPolicy, type RetryPolicy, resolveRetry } from "./retry.ts";
import type { GroupRequest } from "./spi/subscription.ts";
import { assertGroupName, shown } from "./topic.ts";

export interface SubscribeOptions {
  /** Durable, competing consumers: at least once, retried, dead-lettered. Missing: a live copy of what is published while connected. */
  readonly group?: string;
  /** Handlers at once. Default 1. */
  readonly concurrency?: number;
  /** Unsettled deliveries held at once, running ones included. Default 2 × concurrency (live: at least 1,000). A large number is faster and hoards work. */
  readonly inFlightMax?: number;
  /** Messages with the same `key` are handled one after the other; failures are retried in place. Default false. */
  readonly ordered?: boolean;
  /**
   * Of the members that ask for it, over all processes, exactly one is active; when it closes or dies the next takes over, what it held included.
   * Members that do not ask compete beside it as usual, so let all say the same; on one bus a member that differs is refused with `GROUP_CONFLICT`.
   * Default false. `UNSUPPORTED` where the broker cannot.
   */
  readonly exclusive?: boolean;
  /** Instead of the bus's retry policy, field by field. */
  readonly retry?: RetryPolicy;
  /** False: what fails for good is reported and dropped. In a live subscription the name of the group whose dead letters take it. Default true for groups. */
  readonly deadLetter?: boolean | string;
  /** Whether expired messages become dead letters instead of being dropped. Default "drop". */
  readonly expired?: "drop" | "dead-letter";
  /** Messages older than this are treated as expired, milliseconds. */
  readonly messageTtlMs?: number;
  /** `received`: at most once; settled before the handler runs, never retried. Default `handled`. */
  readonly ack?: "handled" | "received";
  /** Where a group starts that this call creates. Default `new`. */
  readonly from?: GroupRequest["from"];
  /** A handler that runs longer is given up and its message retried, milliseconds. Default 300,000. */
  readonly handlerTimeoutMs?: number;
  /** Longest time from the first failure to the last attempt where retries happen in place (ordered, live), milliseconds. Default 30,000. */
  readonly inPlaceMsMax?: number;
  /** The broker may remove the group when it has had no member for so long, milliseconds. Default never. */
  readonly idleExpiryMs?: number;
  /** Suppresses repeats of ids that were handled by this bus, for brokers without dedup. Never a retry, a redrive or a redelivery. Default off. */
  readonly dedup?: { readonly windowMs: number; readonly idsMax?: number };
  /** Closes the subscription. */
  readonly signal?: AbortSignal;
}

export interface ResolvedSubscribeOptions {
  readonly group: string | undefined;
  readonly concurrency: number;
  readonly inFlightMax: number;
  readonly ordered: boolean;
  readonly exclusive: boolean;
  readonly retry: ResolvedRetryPolicy;
  readonly letterGroup: string | undefined;
  readonly deadLettersExpired: boolean;
  readonly messageTtlMs: number | undefined;
  readonly acksOnReceipt: boolean;
  readonly from: GroupRequest["from"];
  readonly handlerTimeoutMs: number;
  readonly inPlaceMsMax: number;
  readonly idleExpiryMs: number | undefined;
  readonly dedup: { readonly windowMs: number; readonly idsMax: number } | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A live subscription drops what it cannot keep up with, so its buffer is larger than a group's, which only costs memory. */
const liveBufferMin = 1_000;
const concurrencyMax = 65_536;
const dedupIdsDefault = 100_000;

const known: ReadonlySet<string> = new Set([
  "group",
  "concurrency",
  "inFlightMax",
  "ordered",
  "exclusive",
  "retry",
  "deadLetter",
  "expired",
  "messageTtlMs",
  "ack",
  "from",
  "handlerTimeoutMs",
  "inPlaceMsMax",
  "idleExpiryMs",
  "dedup",
  "signal",
] satisfies (keyof SubscribeOptions)[]);

/** @throws INVALID_OPTIONS, INVALID_GROUP */
export function resolveSubscribeOptions(options: SubscribeOptions, busRetry: ResolvedRetryPolicy): ResolvedSubscribeOptions {
  assertKnownOptions("subscribe", options, known);
  const { group, concurrency = 1, exclusive = false, ack = "handled", from = "new", dedup } = options;
  if (group !== undefined) assertGroupName(group);
  wholeNumber("concurrency", concurrency, concurrencyMax);
  const inFlightMax = options.inFlightMax ?? (group === undefined ? Math.max(liveBufferMin, 2 * concurrency) : 2 * concurrency);
  wholeNumber("inFlightMax", inFlightMax, 1_000_000);
  if (inFlightMax < concurrency) throw invalid(`inFlightMax (${inFlightMax}) must not be below concurrency (${concurrency}): handlers would stand idle.`);
  for (const name of ["messageTtlMs", "handlerTimeoutMs", "idleExpiryMs", "inPlaceMsMax"] as const) positive(name, options[name]);
  if (ack !== "handled" && ack !== "received") throw invalid(`ack must be "handled" or "received", not ${shown(ack)}.`);
  if (group === undefined && exclusive) throw invalid("exclusive needs a group: a live subscription has no other members.");
  if (group === undefined && options.from !== undefined && options.from !== "new")
    throw invalid("from needs a group; use bus.history to read what was published before.");
  if (from !== "new" && from !== "earliest" && !Number.isFinite(from?.timeMs))
    throw invalid('from must be "new", "earliest" or { timeMs } with milliseconds since 1970.');
  for (const name of ["ordered", "exclusive"] as const)
    if (typeof (options[name] ?? false) !== "boolean") throw invalid(`${name} must be true or false, not ${shown(options[name])}.`);
  if (!["drop", "dead-letter"].includes(options.expired ?? "drop")) throw invalid(`expired must be "drop" or "dead-letter", not ${shown(options.expired)}.`);
  if (dedup !== undefined && !(dedup.windowMs > 0 && (dedup.idsMax ?? 1) >= 1)) throw invalid("dedup: windowMs must be above 0 and idsMax at least 1.");
  return {
    group,
    concurrency,
    inFlightMax,
    ordered: options.ordered ?? false,
    exclusive,
    retry: resolveRetry(options.retry, busRetry),
    // What is done before it is handled cannot be tried or kept afterwards.
    letterGroup: ack === "received" ? undefined : letterGroupOf(options),
    deadLettersExpired: options.expired === "dead-letter",
    messageTtlMs: options.messageTtlMs,
    acksOnReceipt: ack === "received",
    from,
    handlerTimeoutMs: options.handlerTimeoutMs ?? 300_000,
    inPlaceMsMax: options.inPlaceMsMax ?? 30_000,
    idleExpiryMs: options.idleExpiryMs,
    dedup: dedup === undefined ? undefined : { windowMs: dedup.windowMs, idsMax: dedup.idsMax ?? dedupIdsDefault },
    signal: options.signal,
  };
}

function letterGroupOf({ group, deadLetter = group !== undefined }: SubscribeOptions): string | undefined {
  if (deadLetter === false) return undefined;
  if (typeof deadLetter === "string") {
    assertGroupName(deadLetter);
    if (group !== undefined && deadLetter !== group)
      throw invalid(`deadLetter names group ${deadLetter}, but this subscription belongs to ${group}: dead letters stay with their group.`);
    return deadLetter;
  }
  if (deadLetter !== true) throw invalid(`deadLetter must be true, false or the name of a group, not ${shown(deadLetter)}.`);
  if (group === undefined) throw invalid('deadLetter: true needs a group; a live subscription names one: deadLetter: "some-group".');
  return group;
}

function wholeNumber(name: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 1 || value > max) throw invalid(`${name} must be a whole number from 1 to ${max}, not ${shown(value)}.`);
}

function positive(name: string, value: number | undefined): void {
  if (value !== undefined && !(typeof value === "number" && value > 0)) throw invalid(`${name} must be a number of milliseconds above 0, not ${shown(value)}.`);
}

function invalid(message: string): HalyardError {
  return new HalyardError("INVALID_OPTIONS", message);
}
