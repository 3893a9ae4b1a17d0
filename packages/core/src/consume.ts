/**
 * The consume line: one delivery from its arrival to the outcome that settles it. `deliver` is the path; each step is one call that either
 * decides the outcome or lets the message pass. Nothing here does I/O: the subscription settles what comes out.
 *
 * A handler that returns no promise is concluded in the same call. That is worth a third of the throughput in memory (a promise and two
 * microtasks a message), so the line is written with `then` instead of `await`.
 */
import { type Encoding, messageOf, unpackPayload, withOwnHeaders } from "./envelope.ts";
import { HalyardError, isHalyardError } from "./errors.ts";
import type { Flight } from "./flight.ts";
import { type DeadLetterReason, toLetter } from "./letter.ts";
import { type Message, noHeaders, ownHeaders } from "./message.ts";
import type { HandleStep } from "./middleware.ts";
import { ack, drop, release } from "./outcome.ts";
import { backoffMs, decideAfterFailure, type ResolvedRetryPolicy } from "./retry.ts";
import type { Outcome, WireMessage } from "./spi/message.ts";
import type { Survivors } from "./survivors.ts";
import { shown } from "./topic.ts";

/** Hand-overs without an end that a message may have before it is a suspect; as many trials alone, each of which kills its process, condemn it. */
export const crashBudget = 3;
/** After so many members without a matching pattern a message is a dead letter. */
const unmatchedMax = 10;
const unmatchedDelayMs = 1_000;
/** Share of the delay that chance adds: messages that come back in step would meet the same wrong members again. */
const unmatchedJitter = 0.5;

/** How a delivery ends: settled by the backend, or run again in place after a while. */
export type Verdict = Outcome | { readonly type: "again"; readonly delayMs: number };

/** What happened on the way, for counters, events and channels. */
export interface ConsumeObserver {
  expired(flight: Flight): void;
  unmatched(flight: Flight): void;
  duplicate(flight: Flight): void;
  started(flight: Flight): void;
  handled(flight: Flight): void;
  failed(flight: Flight, error: unknown): void;
  /** The copy for the next attempt is stored, or the pause in place has begun. */
  retrying(flight: Flight, delayMs: number, error: unknown): void;
  /** The letter is stored. */
  deadLettered(flight: Flight, reason: DeadLetterReason, error: unknown): void;
  dropped(flight: Flight, error: unknown): void;
}

export interface ConsumeLine {
  readonly group: string | undefined;
  readonly matches: (topic: string) => boolean;
  readonly encoding: Encoding;
  /** Validates a decoded payload against the topic's schema and returns what the handler gets; may be asynchronous. */
  readonly validate: ((topic: string, payload: unknown) => unknown) | undefined;
  readonly handle: HandleStep;
  readonly retry: ResolvedRetryPolicy;
  /** Failures are retried in place: live subscriptions have no inbox, ordered ones keep their key waiting. */
  readonly retriesInPlace: boolean;
  /** Longest time between the first failure and the last attempt in place. */
  readonly inPlaceMsMax: number;
  /** Whose dead letters take what fails for good; `undefined`: it is reported and dropped. */
  readonly letterGroup: string | undefined;
  readonly deadLettersExpired: boolean;
  readonly messageTtlMs: number | undefined;
  /** Whether this message was handled before; never true for a retry, a redrive or a redelivery. */
  readonly isRepeat: ((flight: Flight) => boolean) | undefined;
  readonly survivors: Survivors;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly random: () => number;
  readonly observer: ConsumeObserver;
  /** For `ack: "received"`: settles before the handler runs; false: it could not be settled and comes again, so it must not run. */
  readonly settleEarly?: ((flight: Flight) => Promise<boolean>) | undefined;
}

export function deliver(flight: Flight, line: ConsumeLine): Verdict | Promise<Verdict> {
  const { message } = flight;
  if (!isOurs(message, line)) return handBack(flight, line); // never ack what another member may want
  if (isExpired(message, line)) return expire(flight, line);
  if (isEarly(message, line)) return postpone(flight, line);
  if (flight.isSuspect && mustRecordTrial(flight, line)) return recordTrial(flight, line);
  if (line.isRepeat?.(flight) === true) return dropRepeat(flight, line);
  const unpacked = unpack(message, line);
  if (unpacked instanceof Promise) return unpacked.then((later) => handle(flight, line, later));
  return handle(flight, line, unpacked);
}

function handle(flight: Flight, line: ConsumeLine, unpacked: Message | Failure): Verdict | Promise<Verdict> {
  if (unpacked instanceof Failure) return deadLetter(flight, line, "decode", unpacked.error); // bytes that do not decode never will
  if (line.settleEarly !== undefined) return handleOnce(flight, line, unpacked, line.settleEarly);
  const failure = run(flight, line, unpacked);
  return failure instanceof Promise ? failure.then((later) => conclude(flight, line, later)) : conclude(flight, line, failure);
}

/** At most once: the handler runs only when nobody can hand the message over again. */
async function handleOnce(flight: Flight, line: ConsumeLine, message: Message, settleEarly: (flight: Flight) => Promise<boolean>): Promise<Verdict> {
  if (!(await settleEarly(flight))) return release;
  return conclude(flight, line, await run(flight, line, message));
}

function conclude(flight: Flight, line: ConsumeLine, failure: Failure | undefined): Verdict {
  if (flight.state === "over") return ack; // its time was up while it ran: its fate is decided, nobody listens
  if (flight.wish !== undefined) return fulfil(flight, line, failure);
  return failure === undefined ? succeed(flight, line) : afterFailure(flight, line, failure.error);
}

/** Wraps what was thrown, so that a handler may throw `undefined`. */
class Failure {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

/** Direct sends were meant for this group whatever their topic. */
function isOurs(message: WireMessage, line: ConsumeLine): boolean {
  return line.matches(message.topic) || (line.group !== undefined && message.headers !== noHeaders && message.headers[ownHeaders.to] === line.group);
}

function handBack(flight: Flight, line: ConsumeLine): Verdict {
  line.observer.unmatched(flight);
  if (line.group === undefined) return ack; // a live copy is nobody else's
  const { message } = flight;
  const times = Number(message.headers[ownHeaders.unmatched] ?? 0) + 1;
  if (times >= unmatchedMax) {
    return deadLetter(
      flight,
      line,
      "unmatched",
      new HalyardError("INVALID_PATTERN", `No member of group ${line.group} has a pattern that matches ${shown(message.topic)}; handed back ${times} times.`),
    );
  }
  return {
    type: "move",
    to: "inbox",
    message: { ...message, headers: withOwnHeaders(message.headers, { [ownHeaders.unmatched]: String(times) }) },
    delayMs: unmatchedDelayMs * (1 + unmatchedJitter * line.random()),
  };
}

function isExpired(message: WireMessage, line: ConsumeLine): boolean {
  if (message.expiresAtMs === undefined && line.messageTtlMs === undefined) return false;
  const nowMs = line.nowMs();
  return nowMs >= (message.expiresAtMs ?? Number.POSITIVE_INFINITY) || nowMs >= message.timeMs + (line.messageTtlMs ?? Number.POSITIVE_INFINITY);
}

function expire(flight: Flight, line: ConsumeLine): Verdict {
  if (line.deadLettersExpired) return deadLetter(flight, line, "expired", undefined);
  line.observer.expired(flight);
  return drop;
}

function isEarly(message: WireMessage, line: ConsumeLine): boolean {
  return message.notBeforeMs !== undefined && line.nowMs() < message.notBeforeMs;
}

function postpone(flight: Flight, line: ConsumeLine): Verdict {
  const delayMs = Math.max(1, (flight.message.notBeforeMs ?? 0) - line.nowMs());
  return line.group === undefined ? { type: "again", delayMs } : { type: "move", to: "inbox", message: flight.message, delayMs };
}

/** A suspect runs only when its trial is written down in this very copy, and nobody has died by the copy since. */
function mustRecordTrial({ message, deliveries }: Flight, line: ConsumeLine): boolean {
  return message.headers[ownHeaders.trials] === undefined || deliveries - line.survivors.of(message.id, deliveries) > 1;
}

/**
 * The broker's count makes a suspect, never a verdict: it also rises for messages that were merely buffered beside the culprit, sent into a dead
 * line or given back. So a suspect is tried alone, and each trial is written into the message before it begins: what comes back from its last
 * trial without an end has killed its process. Where this process has lost its connection since the trial was written, others may have lost theirs in the
 * middle of it: that trial is repeated, not counted.
 */
function recordTrial(flight: Flight, line: ConsumeLine): Verdict {
  const { message } = flight;
  const { trials: known, triedAt } = ownHeaders;
  const before = Number(message.headers[known] ?? 0);
  const trials = before > 0 && line.survivors.hasLostSince(Number(message.headers[triedAt] ?? 0)) ? before : before + 1;
  if (trials > crashBudget) return deadLetter(flight, line, "crashed", crashError(trials - 1));
  line.survivors.forget(message.id);
  const headers = withOwnHeaders(message.headers, { [known]: String(trials), [triedAt]: String(line.nowMs()) });
  return { type: "move", to: "inbox", message: { ...message, headers }, delayMs: 0 };
}

function crashError(trials: number): HalyardError {
  return new HalyardError(
    "BACKEND_FAILED",
    `Processes that held this message kept dying; ${trials} more died while they held nothing else. Its handler most likely kills its process.`,
  );
}

function dropRepeat(flight: Flight, line: ConsumeLine): Verdict {
  line.observer.duplicate(flight);
  return ack;
}

function unpack(wire: WireMessage, line: ConsumeLine): Message | Failure | Promise<Message | Failure> {
  try {
    const payload = unpackPayload(wire, line.encoding);
    if (line.validate === undefined) return messageOf(wire, payload);
    const valid = line.validate(wire.topic, payload);
    if (!(valid instanceof Promise)) return messageOf(wire, valid);
    return valid.then(
      (later: unknown) => messageOf(wire, later),
      (error: unknown) => new Failure(error),
    );
  } catch (error) {
    return new Failure(error);
  }
}

function run(flight: Flight, line: ConsumeLine, message: Message): Failure | undefined | Promise<Failure | undefined> {
  line.observer.started(flight);
  try {
    const result = line.handle(message, flight);
    if (!isThenable(result)) return undefined;
    return Promise.resolve(result).then(
      () => undefined,
      (error: unknown) => new Failure(error),
    );
  } catch (error) {
    return new Failure(error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function succeed(flight: Flight, line: ConsumeLine): Verdict {
  line.observer.handled(flight);
  return ack;
}

/** The handler said itself what should follow. */
function fulfil(flight: Flight, line: ConsumeLine, failure: Failure | undefined): Verdict {
  const { wish } = flight;
  const error = failure?.error ?? (wish?.type === "retry" ? wish.error : undefined);
  if (wish?.type === "release") return release;
  if (wish?.type === "dead-letter") return deadLetter(flight, line, "requested", error ?? new HalyardError("NON_RETRYABLE", wish.reason));
  flight.wish = undefined;
  line.observer.failed(flight, error);
  if (flight.attempt >= attemptsMaxOf(flight, line)) return deadLetter(flight, line, "attempts", error);
  return tryAgain(flight, line, wish?.delayMs ?? backoffMs(line.retry, flight.attempt, line.random), error);
}

/** Also called when the handler's time is up. */
export function afterFailure(flight: Flight, line: ConsumeLine, error: unknown): Verdict {
  line.observer.failed(flight, error);
  const next = decideAfterFailure(error, flight.attempt, attemptsMaxOf(flight, line), line.retry, line.random);
  return next.type === "retry" ? tryAgain(flight, line, next.delayMs, error) : deadLetter(flight, line, next.reason, error);
}

function attemptsMaxOf(flight: Flight, line: ConsumeLine): number {
  if (line.settleEarly !== undefined) return 1; // at most once
  const own = flight.message.headers[ownHeaders.attemptsMax];
  const attemptsMax = own === undefined ? Number.NaN : Number(own);
  return Number.isInteger(attemptsMax) && attemptsMax >= 1 ? attemptsMax : line.retry.attemptsMax;
}

function tryAgain(flight: Flight, line: ConsumeLine, delayMs: number, error: unknown): Verdict {
  if (line.retriesInPlace) return tryAgainInPlace(flight, line, delayMs, error);
  flight.whenSettled = () => line.observer.retrying(flight, delayMs, error);
  const { message } = flight;
  const firstFailedAt = message.headers[ownHeaders.firstFailedAt] ?? String(line.nowMs());
  const own = { [ownHeaders.firstFailedAt]: firstFailedAt, [ownHeaders.trials]: undefined, [ownHeaders.triedAt]: undefined, [ownHeaders.unmatched]: undefined };
  const headers = withOwnHeaders(message.headers, own);
  return { type: "move", to: "inbox", message: { ...message, headers, attempt: flight.attempt + 1, notBeforeMs: undefined }, delayMs };
}

function tryAgainInPlace(flight: Flight, line: ConsumeLine, delayMs: number, error: unknown): Verdict {
  const nowMs = line.monotonicMs();
  flight.firstFailedMs ??= nowMs;
  if (nowMs + delayMs - flight.firstFailedMs > line.inPlaceMsMax) return deadLetter(flight, line, "attempts", error);
  line.observer.retrying(flight, delayMs, error);
  flight.attempt++;
  return { type: "again", delayMs };
}

function deadLetter(flight: Flight, line: ConsumeLine, reason: DeadLetterReason, error: unknown): Verdict {
  const group = line.letterGroup;
  if (group === undefined) {
    line.observer.dropped(flight, error);
    return drop;
  }
  flight.whenSettled = () => line.observer.deadLettered(flight, reason, error);
  const hasRun = reason === "attempts" || reason === "non-retryable" || reason === "requested" || isHalyardError(error, "HANDLER_TIMEOUT");
  const attempts = hasRun ? flight.attempt : flight.attempt - 1;
  const nowMs = line.nowMs();
  const firstFailedAtMs = flight.firstFailedMs === undefined ? nowMs : nowMs - Math.round(line.monotonicMs() - flight.firstFailedMs);
  const message = toLetter(
    { ...flight.message, attempt: flight.attempt },
    { reason, error, group, attempts, deliveries: flight.deliveries, firstFailedAtMs, nowMs },
  );
  return { type: "move", to: "dead-letters", message, delayMs: 0 };
}
