/**
 * The handlers of one subscription: which flight starts when, what becomes of its end, and who is told. Deliveries come in by `take`, outcomes go
 * out to the settler of the source that handed the delivery over. All unsettled flights of the subscription are here, each in one place: the
 * backlog, between two runs in place, or running.
 */
import { Backlog } from "./backlog.ts";
import type { Clock } from "./clock.ts";
import { afterFailure, type ConsumeLine, deliver, type Verdict } from "./consume.ts";
import { HalyardError } from "./errors.ts";
import type { Flight } from "./flight.ts";
import { FlightList } from "./flight-list.ts";
import { InPlace } from "./in-place.ts";
import { ownHeaders } from "./message.ts";
import type { ConsumeCounters } from "./metrics.ts";
import { ack, release } from "./outcome.ts";
import type { Settler, SettlerObserver } from "./settler.ts";
import type { Outcome, WireMessage } from "./spi/message.ts";
import type { ResolvedSubscribeOptions } from "./subscribe-options.ts";
import type { Ticker } from "./ticker.ts";
import { asError, type Deferred, deferred, endsWithin } from "./waiting.ts";

export interface HandlersParts {
  readonly clock: Clock;
  readonly ticker: Ticker;
  /** There may be room for more deliveries. */
  onRoom(): void;
  publishLetter(group: string, letter: WireMessage): Promise<void>;
  handlerMs(durationMs: number): void;
  warn(text: string, error: Error | undefined): void;
  leaseLost(flight: Flight): void;
  settled(flight: Flight, outcome: Outcome): void;
}

const lineFailureDelayMs = 1_000;
/** Of the time for which a broker lets a message be held, a handler takes at most so much: the rest is for waiting in the backlog. */
const handlerShareMax = 0.9;

export class Handlers {
  /** Unsettled. */
  readonly flights = new FlightList();
  readonly settlerObserver: SettlerObserver;
  readonly #line: ConsumeLine;
  readonly #options: ResolvedSubscribeOptions;
  readonly #counters: ConsumeCounters;
  readonly #parts: HandlersParts;
  readonly #backlog: Backlog;
  /** They go before the backlog. */
  readonly #inPlace: InPlace;
  /** Settled before they ran (`ack: "received"`), and still running. */
  readonly #early = new Set<Flight>();
  /** Still running although their source is gone: nothing is settled any more, but they take a handler's place until they end or time out. */
  readonly #orphans = new Set<Flight>();
  #running = 0;
  #timeoutMs: number;
  /** What has not started after so long goes back, while there is time for a whole run elsewhere; `undefined`: the broker lets us hold it. */
  #waitMsMax: number | undefined;
  #isPaused = false;
  #isClosing = false;
  #idle: Deferred<void> | undefined;

  constructor(line: ConsumeLine, options: ResolvedSubscribeOptions, counters: ConsumeCounters, parts: HandlersParts) {
    this.#line = line;
    this.#options = options;
    this.#counters = counters;
    this.#parts = parts;
    this.#backlog = new Backlog(options.ordered);
    this.#inPlace = new InPlace(parts.clock, () => this.startNext());
    this.#timeoutMs = options.handlerTimeoutMs;
    this.settlerObserver = { settled: this.#onSettled, stale: this.#onStale, failed: this.#onSettleFailed };
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#backlog.size + this.#inPlace.due;
  }

  get #isLive(): boolean {
    return this.#options.group === undefined;
  }

  /** The broker takes a message back after `handlerMsMax`, counted from when it came: waiting and handler together must be over before that. */
  limitTime(handlerMsMax: number | undefined): void {
    const { handlerTimeoutMs } = this.#options;
    this.#timeoutMs = handlerMsMax === undefined ? handlerTimeoutMs : Math.min(handlerTimeoutMs, handlerMsMax * handlerShareMax);
    this.#waitMsMax = handlerMsMax === undefined || this.#isLive ? undefined : handlerMsMax - this.#timeoutMs;
  }

  take(flight: Flight): void {
    if (this.#waitMsMax !== undefined) flight.startedMs = this.#parts.clock.monotonicMs();
    this.flights.add(flight);
    this.#backlog.push(flight);
  }

  /** Starts as many as may run at once. */
  startNext(): void {
    // Where handlers end at once, the end of one is the start of the next: one reading of the clock a message instead of two.
    let nowMs: number | undefined;
    while (this.#running < this.#options.concurrency && !this.#isPaused) {
      const flight = this.#inPlace.take() ?? this.#backlog.take();
      if (flight === undefined) return;
      const startMs: number = nowMs ?? this.#parts.clock.monotonicMs();
      nowMs = isLapsed(flight, startMs) ? this.#skip(flight, startMs) : this.#start(flight, startMs);
    }
  }

  pause(): void {
    this.#isPaused = true;
    if (!this.#isLive) this.giveBackIdle(); // a live copy cannot be given back: it waits for resume
  }

  resume(): void {
    this.#isPaused = false;
    this.startNext();
  }

  /** What waits between two runs in place goes back too, and begins again with its first attempt. */
  giveBackIdle(): void {
    this.giveBackUnstarted();
    for (const flight of this.#inPlace.takeAll()) this.#settle(flight, release);
  }

  giveBackUnstarted(): void {
    for (const flight of this.#backlog.takeAll()) this.#settle(flight, release);
  }

  /** The source is gone, and what it handed over comes again; what runs is told. A live subscription keeps its copies: nobody hands them over again. */
  lose(settler: Settler, cause: Error): void {
    if (!this.#isLive) {
      const reason = new HalyardError("LEASE_LOST", "The connection was lost while the message was handled: it comes again, here or elsewhere.", { cause });
      this.#backlog.takeAll();
      this.#inPlace.dropDue();
      for (const flight of this.flights.all()) {
        this.flights.remove(flight);
        if (flight.state !== "running") this.#forget(flight);
        else {
          this.#orphans.add(flight);
          flight.abort(reason);
        }
      }
      this.#parts.onRoom();
    }
    settler.end();
  }

  /** Gives back what has not started and waits for the rest. False if some handlers did not end in time: they are told, and their messages come again. */
  async close(timeoutMs: number): Promise<boolean> {
    this.#isClosing = true;
    this.giveBackIdle();
    if (this.#running === 0) return true;
    this.#idle = deferred();
    if (await endsWithin(this.#parts.clock, timeoutMs, this.#idle.promise)) return true;
    const error = new HalyardError("CLOSED", `The subscription was closed and its handler did not end within ${timeoutMs} ms.`);
    for (const flight of [...this.flights.all(), ...this.#early]) flight.abort(error);
    return false;
  }

  // ── Running ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Its lease lapsed while it waited: somebody else may have it by now, and running it here could not be settled. */
  #skip(flight: Flight, nowMs: number): number {
    flight.state = "over";
    this.#leave(flight, release);
    return nowMs;
  }

  /** Returns when it ended, if it has ended already. */
  #start(flight: Flight, nowMs: number): number | undefined {
    flight.state = "running";
    flight.startedMs = nowMs;
    this.#running++;
    let verdict: Verdict | Promise<Verdict>;
    try {
      verdict = deliver(flight, this.#line);
    } catch (thrown) {
      verdict = this.#lineFailed(thrown);
    }
    if (!(verdict instanceof Promise)) {
      const endMs = this.#finish(flight, verdict);
      if (endMs !== undefined) this.#parts.ticker.noteSpan(nowMs, endMs);
      return endMs;
    }
    this.#parts.ticker.add(this.#watch, nowMs);
    this.#await(flight, verdict);
    return undefined;
  }

  #await(flight: Flight, verdict: Promise<Verdict>): void {
    verdict.then(
      (later) => {
        this.#finish(flight, later);
        this.startNext();
      },
      (thrown: unknown) => {
        this.#finish(flight, this.#lineFailed(thrown));
        this.startNext();
      },
    );
  }

  /** The line itself must not fail (a logger of the user's may throw). If it does, the message is neither lost nor comes back in a hot loop. */
  #lineFailed(thrown: unknown): Verdict {
    try {
      this.#parts.warn("The consume line failed; the message is tried again.", asError(thrown));
    } catch {
      // The logger it is: nobody is left to be told.
    }
    return { type: "again", delayMs: lineFailureDelayMs };
  }

  #finish(flight: Flight, verdict: Verdict): number | undefined {
    if (flight.state !== "running") return undefined; // given up earlier
    const nowMs = this.#parts.clock.monotonicMs();
    this.#running--;
    if (this.#orphans.size > 0) this.#orphans.delete(flight);
    this.#parts.handlerMs(nowMs - flight.startedMs);
    this.#conclude(flight, verdict);
    if (this.#running === 0) this.#idle?.resolve();
    return nowMs;
  }

  #conclude(flight: Flight, verdict: Verdict): void {
    if (verdict.type !== "again") this.#settle(flight, verdict);
    else if (this.#isClosing) this.#settle(flight, release);
    else if (flight.index < 0)
      this.#forget(flight); // its source is gone: it comes again
    else {
      flight.state = "waiting";
      this.#inPlace.pause(flight, verdict.delayMs);
    }
  }

  /** Not settled and not held any more: the broker hands it over again. */
  #forget(flight: Flight): void {
    flight.state = "over";
    this.#early.delete(flight);
    this.#inPlace.cancelPause(flight);
    this.#backlog.free(flight);
  }

  readonly #watch = (nowMs: number): boolean => {
    if (this.#waitMsMax !== undefined && this.#backlog.holdsSince(nowMs - this.#waitMsMax))
      for (const flight of this.#backlog.takeAll()) this.#settle(flight, release); // together: the broker keeps their order, and their time begins anew
    for (const flight of [...this.flights.all(), ...this.#early, ...this.#orphans]) {
      if (flight.state === "running" && nowMs - flight.startedMs >= this.#timeoutMs) this.#giveUp(flight, this.#timeoutMs);
    }
    return this.#running > 0;
  };

  /** The handler hangs: its message is retried as if it had thrown. What it still does is ignored, so a further run in place needs a flight of its own. */
  #giveUp(flight: Flight, timeoutMs: number): void {
    const error = new HalyardError("HANDLER_TIMEOUT", `The handler took longer than ${timeoutMs} ms (handlerTimeoutMs).`);
    this.#counters.timedOut++;
    flight.abort(error);
    const verdict = afterFailure(flight, this.#line, error);
    this.#finish(flight, verdict.type === "again" ? this.#replace(flight, verdict) : verdict);
    this.startNext();
  }

  #replace(flight: Flight, verdict: Verdict): Verdict {
    const next = flight.again();
    if (this.flights.remove(flight)) this.flights.add(next);
    this.#backlog.passOn(flight, next);
    this.#conclude(next, verdict);
    return held;
  }

  // ── Settling ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** For `ack: "received"`: the message is done before its handler runs. False where it could not be, and comes again. */
  settleEarly(flight: Flight): Promise<boolean> {
    return new Promise((resolve) => {
      flight.whenSettled = () => resolve(true);
      flight.whenStale = () => resolve(false);
      this.#early.add(flight);
      this.#leave(flight, ack);
    });
  }

  #settle(flight: Flight, outcome: Outcome): void {
    flight.state = "over";
    if (outcome === held) return;
    if (outcome.type === "release") this.#noteRelease(flight);
    if (this.#early.delete(flight)) this.#backlog.free(flight);
    else if (outcome.type === "release" && isOnTrial(flight)) this.#leave(flight, backUntried(flight));
    else if (this.#isLive && outcome.type === "move") void this.#publishLetter(flight, outcome.message);
    else this.#leave(flight, outcome);
  }

  /** The broker counts it as a hand-over, but nobody died. */
  #noteRelease({ message, deliveries }: Flight): void {
    this.#counters.released++;
    this.#line.survivors.note(message.id, deliveries);
  }

  #leave(flight: Flight, outcome: Outcome): void {
    const isHeld = this.flights.remove(flight);
    if (isHeld && flight.leaseUntilMs !== undefined && isLapsed(flight, this.#parts.clock.monotonicMs())) this.#refuse(flight);
    else flight.settler.add(flight, outcome);
    if (isHeld) this.#parts.onRoom();
  }

  /** The lease has lapsed by our own clock: somebody else may have the message, and some brokers would take our ack all the same. */
  #refuse(flight: Flight): void {
    this.#counters.leasesLost++;
    this.#parts.leaseLost(flight);
    flight.whenStale?.();
    this.#backlog.free(flight);
  }

  /** A live copy has no dead letters of its own: the letter is published to the named group's first, then the copy is done. */
  async #publishLetter(flight: Flight, letter: WireMessage): Promise<void> {
    const { whenSettled } = flight;
    flight.whenSettled = undefined;
    try {
      await this.#parts.publishLetter(this.#options.letterGroup ?? "", letter);
      whenSettled?.(); // the letter is stored, whatever becomes of the copy
    } catch (thrown) {
      this.#parts.warn(`The dead letter of message ${flight.message.id} could not be stored.`, asError(thrown));
    }
    this.#leave(flight, ack);
  }

  readonly #onSettled = (flight: Flight, outcome: Outcome): void => {
    flight.whenSettled?.();
    this.#parts.settled(flight, outcome);
    if (this.#options.ordered) this.#freeKey(flight);
  };

  readonly #onStale = (flight: Flight): void => {
    this.#counters.stale++;
    flight.whenStale?.();
    if (this.#options.ordered) this.#freeKey(flight);
  };

  #freeKey(flight: Flight): void {
    if (flight.state !== "over") return; // settled when it came, and still running
    this.#backlog.free(flight);
    this.startNext();
  }

  readonly #onSettleFailed = (flight: Flight, error: Error | undefined): void => {
    this.#parts.warn(`The outcome of message ${flight.message.id} could not be stored; it is tried again.`, error);
  };
}

function isLapsed({ leaseUntilMs }: Flight, nowMs: number): boolean {
  return leaseUntilMs !== undefined && leaseUntilMs <= nowMs;
}

function isOnTrial({ isSuspect, message }: Flight): boolean {
  return isSuspect && message.headers[ownHeaders.trials] !== undefined;
}

/** A suspect on trial that is given back goes as a new copy: its count of hand-overs tells of deaths only, and this was none. */
function backUntried({ message }: Flight): Outcome {
  return { type: "move", to: "inbox", message, delayMs: 0 };
}

/** Stands for the outcome of a run whose message goes on in another flight. */
const held: Outcome = Object.freeze({ type: "release" });
