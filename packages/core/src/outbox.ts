/**
 * Where messages wait until the broker has accepted them. What is published in one turn leaves in one batch at the end of that turn: batching
 * never waits on a timer, and a lone publish leaves at once. Batches are pipelined. An entry is in exactly one place: `waiting` (to be sent),
 * `held` (the broker said wait) or a batch in flight.
 *
 * When a session ends, what was in flight has an unknown outcome: it goes back to its place in `waiting` and is repeated under the same id on
 * the next session, until its own deadline. The broker's dedup makes that one message.
 */
import { AbortWatch } from "./abort-watch.ts";
import { AnswerPace } from "./answer-pace.ts";
import { type Clock, Turn } from "./clock.ts";
import { HalyardError, isHalyardError } from "./errors.ts";
import { HeldBack } from "./held-back.ts";
import type { Limits } from "./limits.ts";
import {
  abortedError,
  batchMessagesMax,
  closedError,
  entryBytes,
  inOrder,
  lateError,
  Outgoing,
  type OutgoingOptions,
  type PublishReceipt,
  type TurnOfEntries,
  takeBatch,
} from "./outgoing.ts";
import type { SessionKeeper } from "./session-keeper.ts";
import type { PublishStatus, Session } from "./spi/backend.ts";
import type { WireMessage } from "./spi/message.ts";
import type { Ticker } from "./ticker.ts";
import { asError, type Deferred, deferred, endsWithin, sharedAbort } from "./waiting.ts";

/** Most messages that are sent and not yet answered. */
const inFlightMessagesMax = 4_096;
/** Less than subscriptions have: what is published should be handled before more is published. */
const turnMs = 4;

export interface OutboxObserver {
  accepted(count: number, startMs: number, nowMs: number): void;
  failed(message: WireMessage, error: Error): void;
  repeated(count: number): void;
}

export class Outbox {
  readonly #keeper: SessionKeeper;
  readonly #clock: Clock;
  readonly #ticker: Ticker;
  readonly #turn: Turn;
  readonly #limits: Limits;
  readonly #observer: OutboxObserver;
  readonly #abort = sharedAbort();
  #waiting: Outgoing[] = [];
  readonly #held: HeldBack;
  readonly #flying = new Set<readonly Outgoing[]>();
  readonly #signals: AbortWatch<Outgoing>;
  #flyingCount = 0;
  #count = 0;
  #bytes = 0;
  #order = 0;
  #isFlushPlanned = false;
  #isClosed = false;
  #currentTurn: TurnOfEntries = { startMs: 0 };
  /** No entry has an earlier deadline. */
  #deadlineMsMin = Number.POSITIVE_INFINITY;
  #idle: Deferred<void> | undefined;
  readonly #pace = new AnswerPace();

  constructor(parts: { keeper: SessionKeeper; clock: Clock; ticker: Ticker; limits: Limits; observer: OutboxObserver }) {
    this.#keeper = parts.keeper;
    this.#clock = parts.clock;
    this.#ticker = parts.ticker;
    this.#turn = new Turn(turnMs);
    this.#limits = parts.limits;
    this.#observer = parts.observer;
    this.#held = new HeldBack(parts.clock, (entries) => {
      this.#waiting = inOrder(entries, this.#waiting);
      this.wake();
    });
    this.#signals = new AbortWatch((entries) => {
      for (const entry of entries) this.#fail(entry, abortedError(entry));
      this.#sweep();
    });
  }

  /** Messages and bytes that are not accepted yet. */
  get size(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#count, bytes: this.#bytes };
  }

  /** Resolves when the broker has accepted; rejects when it never will or the deadline has passed. */
  add(message: WireMessage, options: OutgoingOptions): Promise<PublishReceipt> {
    const bytes = message.body.byteLength + entryBytes;
    if (this.#count >= this.#limits.publishMessagesMax || this.#bytes + bytes > this.#limits.publishBytesMax) return Promise.reject(this.#full());
    if (this.#isClosed) return Promise.reject(new HalyardError("CLOSED", "The bus is closed; the message was not stored."));
    if (options.signal?.aborted)
      return Promise.reject(new HalyardError("ABORTED", "The publish was aborted before it was sent.", { cause: options.signal.reason }));
    if (!this.#isFlushPlanned) this.#planFlush();
    const entry = new Outgoing(message, options, this.#order++, this.#currentTurn);
    this.#count++;
    this.#bytes += bytes;
    const { deadlineMs } = entry;
    if (deadlineMs < this.#deadlineMsMin) this.#deadlineMsMin = deadlineMs;
    if (this.#held.isBehind(entry)) this.#held.hold(entry);
    else this.#waiting.push(entry);
    if (options.signal !== undefined) this.#signals.add(entry, options.signal);
    return new Promise((resolve, reject) => {
      entry.resolve = resolve;
      entry.reject = reject;
    });
  }

  /** The keeper has a new session: send what waits. */
  wake(): void {
    if (this.#waiting.length > 0 && !this.#isFlushPlanned) this.#planFlush();
  }

  /** Whether nothing was left within `timeoutMs`. */
  async drain(timeoutMs: number): Promise<boolean> {
    if (this.#count === 0) return true;
    this.#idle ??= deferred();
    return endsWithin(this.#clock, timeoutMs, this.#idle.promise);
  }

  /** Rejects what is left. */
  close(): void {
    this.#isClosed = true;
    const rest = [...this.#waiting, ...this.#held.entries, ...[...this.#flying].flat()];
    this.#held.close();
    for (const entry of rest) this.#fail(entry, closedError(entry));
    this.#abort.abort();
  }

  #planFlush(): void {
    this.#isFlushPlanned = true;
    this.#currentTurn = { startMs: this.#clock.monotonicMs() };
    this.#ticker.add(this.#watchDeadlines);
    // Runs when the turn's microtasks are through: all loops that one acceptance woke have published again by then.
    if (this.#turn.isOverdue()) this.#turn.defer(this.#flush);
    else process.nextTick(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isFlushPlanned = false;
    this.#currentTurn.startMs = this.#clock.monotonicMs();
    const session = this.#keeper.current;
    if (session === undefined || this.#isGathering) return;
    const waiting = this.#held.holdFollowers(this.#waiting);
    let from = 0;
    while (from < waiting.length && this.#flyingCount < inFlightMessagesMax) {
      const batch = takeBatch(waiting, from);
      from += batch.taken;
      if (batch.entries.length > 0) void this.#send(session, batch.entries);
    }
    this.#waiting = from >= waiting.length ? [] : waiting.slice(from);
  };

  /** A full batch is never held back. */
  get #isGathering(): boolean {
    return this.#waiting.length < batchMessagesMax && this.#pace.isWorthWaiting(this.#flying.size);
  }

  async #send(session: Session, batch: readonly Outgoing[]): Promise<void> {
    const first = batch[0] as Outgoing; // batches are never empty
    const messages = new Array<WireMessage>(batch.length);
    for (let index = 0; index < batch.length; index++) {
      const entry = batch[index] as Outgoing; // index < length
      entry.state = "flying";
      messages[index] = entry.message;
    }
    this.#flying.add(batch);
    this.#flyingCount += batch.length;
    let statuses: readonly PublishStatus[] | undefined;
    let lost: Error | undefined;
    try {
      const { target, wantsPosition } = first.options;
      statuses = await session.publish(messages, { signal: this.#abort.signal, target, positions: wantsPosition, isFirstSend: first.isFirstSend });
    } catch (thrown) {
      lost = asError(thrown);
      // What throws at once does so in the middle of a flush, which writes down at its end what still waits: ours comes after that, or it would be forgotten.
      await undefined;
    }
    this.#flying.delete(batch);
    this.#flyingCount -= batch.length;
    this.#pace.answered(this.#clock.monotonicMs() - first.turn.startMs);
    if (lost !== undefined) this.#repeatAll(session, batch, lost);
    else if (statuses === undefined) this.#acceptAll(session, batch);
    else this.#applyAll(session, batch, statuses);
    if (this.#waiting.length > 0 && !this.#isFlushPlanned) this.#planFlush();
  }

  #acceptAll(session: Session, batch: readonly Outgoing[]): void {
    this.#keeper.prove(session);
    const nowMs = this.#clock.monotonicMs();
    let accepted = 0;
    let turn = batch[0]?.turn;
    for (const entry of batch) {
      if (entry.state === "done") continue;
      if (turn !== undefined && entry.turn !== turn && accepted > 0) {
        this.#observer.accepted(accepted, turn.startMs, nowMs);
        accepted = 0;
      }
      turn = entry.turn;
      accepted++;
      this.#accept(entry, undefined);
    }
    if (turn !== undefined && accepted > 0) this.#observer.accepted(accepted, turn.startMs, nowMs);
    this.#held.relax();
  }

  #applyAll(session: Session, batch: readonly Outgoing[], statuses: readonly PublishStatus[]): void {
    if (statuses.some(({ status }) => status === "accepted")) this.#keeper.prove(session);
    for (const [index, entry] of batch.entries()) {
      const status: PublishStatus = statuses[index] ?? {
        status: "unknown",
        error: new HalyardError("BACKEND_FAILED", "The backend gave no status for this message."),
      };
      if (entry.state === "done") continue;
      if (status.status === "accepted") {
        this.#observer.accepted(1, entry.turn.startMs, this.#clock.monotonicMs());
        this.#accept(entry, status);
        continue;
      }
      entry.lastError = status.error;
      if (status.status === "unknown") {
        entry.isUnknown = true;
        entry.isFirstSend = false;
        this.#observer.repeated(1);
        this.#held.hold(entry);
      } else if (isHalyardError(status.error) && status.error.retryable) this.#held.hold(entry);
      else
        this.#fail(
          entry,
          isHalyardError(status.error)
            ? status.error
            : new HalyardError("PUBLISH_REFUSED", `The broker refused the message: ${status.error.message}`, { cause: status.error }),
        );
    }
  }

  /** The session ended under the batch: each message may be stored or not. */
  #repeatAll(session: Session, batch: readonly Outgoing[], error: Error): void {
    const again = batch.filter((entry) => entry.state !== "done");
    for (const entry of again) {
      entry.state = "waiting";
      entry.isUnknown = true;
      entry.isFirstSend = false;
      entry.lastError = error;
    }
    this.#observer.repeated(again.length);
    this.#waiting = inOrder(again, this.#waiting);
    this.#keeper.discard(session, error);
  }

  #accept(entry: Outgoing, status: { readonly position?: string | undefined; readonly duplicate?: boolean | undefined } | undefined): void {
    this.#forget(entry);
    // A duplicate of our own earlier sending is no duplicate for the caller.
    const duplicate = status?.duplicate === true && !entry.isUnknown;
    entry.resolve?.({ id: entry.message.id, duplicate, position: status?.position });
  }

  #fail(entry: Outgoing, error: Error): void {
    if (entry.state === "done") return;
    this.#forget(entry);
    this.#observer.failed(entry.message, error);
    entry.reject?.(error);
  }

  #forget(entry: Outgoing): void {
    entry.state = "done";
    this.#count--;
    this.#bytes -= entry.bytes;
    if (entry.options.signal !== undefined) this.#signals.remove(entry, entry.options.signal);
    if (this.#count === 0 && this.#idle !== undefined) {
      this.#idle.resolve();
      this.#idle = undefined;
    }
  }

  readonly #watchDeadlines = (nowMs: number): boolean => {
    if (this.#isGathering) this.#pace.overdue();
    this.wake();
    if (nowMs < this.#deadlineMsMin) return this.#count > 0;
    let soonestMs = Number.POSITIVE_INFINITY;
    const look = (entry: Outgoing): void => {
      if (entry.state === "done") return;
      if (entry.deadlineMs <= nowMs) this.#fail(entry, lateError(entry, this.#keeper.lastError));
      else if (entry.deadlineMs < soonestMs) soonestMs = entry.deadlineMs;
    };
    for (const entry of this.#waiting) look(entry);
    for (const entry of this.#held.entries) look(entry);
    for (const batch of this.#flying) for (const entry of batch) look(entry);
    this.#deadlineMsMin = soonestMs;
    this.#sweep();
    return this.#count > 0;
  };

  #sweep(): void {
    this.#waiting = this.#waiting.filter((entry) => entry.state !== "done");
    this.#held.sweep();
  }

  #full(): HalyardError {
    const { publishMessagesMax, publishBytesMax } = this.#limits;
    return new HalyardError(
      "BACKPRESSURE",
      `${this.#count} messages (${this.#bytes} bytes) wait for the broker to accept them; the bounds are ${publishMessagesMax} and ${publishBytesMax}. Await earlier publishes, or raise limits.publishMessagesMax or limits.publishBytesMax.`,
      { details: { messages: this.#count, bytes: this.#bytes } },
    );
  }
}
