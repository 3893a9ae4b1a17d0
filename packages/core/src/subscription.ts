/**
 * One running subscription: it asks the keeper for a session, subscribes on it, pulls deliveries as long as it has room, starts handlers, and
 * settles what comes out of the consume line. When the session ends it does the same on the next one. All its state is here: the unsettled
 * flights, the backlog of those that wait for a handler, and its mode (credit, pause, closing).
 */
import { Backlog } from "./backlog.ts";
import type { Clock, Turn } from "./clock.ts";
import { afterFailure, type ConsumeLine, crashBudget, deliver, type Verdict } from "./consume.ts";
import type { PublishOptions } from "./envelope.ts";
import { HalyardError, isHalyardError } from "./errors.ts";
import { Flight, type FlightHost } from "./flight.ts";
import { childLogger, type Logger } from "./logger.ts";
import type { ConsumeCounters } from "./metrics.ts";
import type { PublishReceipt } from "./outbox.ts";
import { ack, release } from "./outcome.ts";
import type { TopicPattern } from "./pattern.ts";
import type { SessionKeeper } from "./session-keeper.ts";
import { Settler, type SettlerObserver } from "./settler.ts";
import type { Session } from "./spi/backend.ts";
import type { Capabilities } from "./spi/capabilities.ts";
import type { Delivery, Outcome, WireMessage } from "./spi/message.ts";
import type { BackendSubscription } from "./spi/subscription.ts";
import type { ResolvedSubscribeOptions } from "./subscribe-options.ts";
import type { Survivors } from "./survivors.ts";
import type { Ticker } from "./ticker.ts";
import { asError, type Deferred, deferred, sleep, withDeadline } from "./waiting.ts";

const resubscribeDelayMsMin = 20;
const resubscribeDelayMsMax = 5_000;

export interface SubscriptionStats extends Readonly<ConsumeCounters> {
  /** Unsettled deliveries held now, running ones included. */
  readonly inFlight: number;
  /** Handlers that run now. */
  readonly running: number;
  /** Deliveries that wait for a free handler. */
  readonly waiting: number;
}

/** What users hold of a subscription. */
export interface Subscription {
  readonly patterns: readonly string[];
  readonly group: string | undefined;
  /** `disconnected`: the bus looks for a new session. */
  readonly state: "connected" | "disconnected" | "closed";
  /** Resolves when the subscription has ended: with the error where it ended by itself (`GROUP_REMOVED`, `UNSUPPORTED`). Never rejects. */
  readonly ended: Promise<HalyardError | undefined>;
  stats(): SubscriptionStats;
  /** Starts no more handlers and gives back what has not started, so that other members can have it. */
  pause(): void;
  resume(): void;
  /** Stops receiving, waits for running handlers (`timeoutMs`, default `limits.closeTimeoutMs`), gives back the rest, flushes acks. Idempotent. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What the bus lends to its subscriptions. */
export interface SubscriptionParts {
  readonly keeper: SessionKeeper;
  readonly clock: Clock;
  readonly random: () => number;
  readonly ticker: Ticker;
  readonly turn: Turn;
  readonly survivors: Survivors;
  readonly logger: Logger;
  readonly requestTimeoutMs: number;
  readonly closeTimeoutMs: number;
  publishFrom(message: WireMessage, topic: string, payload: unknown, options: PublishOptions | undefined): Promise<PublishReceipt>;
  publishLetter(group: string, letter: WireMessage): Promise<void>;
  handlerMs(durationMs: number): void;
  warn(text: string, error: Error | undefined): void;
  leaseLost(flight: Flight): void;
  /** The subscription is connected again after a loss and may have missed messages. */
  gap(patterns: readonly string[], count: number | undefined): void;
  settled(flight: Flight, outcome: Outcome): void;
  ended(subscription: RunningSubscription, error: HalyardError | undefined): void;
}

export class RunningSubscription implements Subscription, FlightHost {
  readonly patterns: readonly string[];
  readonly group: string | undefined;
  readonly ended: Promise<HalyardError | undefined>;
  readonly counters: ConsumeCounters;
  readonly #topicPatterns: readonly TopicPattern[];
  readonly #options: ResolvedSubscribeOptions;
  readonly #line: ConsumeLine;
  readonly #parts: SubscriptionParts;
  readonly #backlog: Backlog;
  readonly #closing = new AbortController();
  readonly #ended: Deferred<HalyardError | undefined> = deferred();
  readonly #ready: Deferred<void> = deferred();
  readonly #settlerObserver: SettlerObserver;
  /** Unsettled, in no order: a flight knows its index, so leaving costs nothing. */
  readonly #flights: Flight[] = [];
  /** Between two runs in place, with what cancels the timer. */
  readonly #pausedFlights = new Map<Flight, () => void>();
  /** Came back from a pause in place while no handler was free: they go before the backlog. */
  #due: Flight[] = [];
  #running = 0;
  #credit: number;
  #isPaused = false;
  #wasConnected = false;
  #receiving = new AbortController();
  #source: BackendSubscription | undefined;
  #settler: Settler | undefined;
  #leaseDueMs = Number.POSITIVE_INFINITY;
  #isExtending = false;
  /** Resolved when there may be room again. */
  #change: Deferred<void> | undefined;
  #idle: Deferred<void> | undefined;
  #loop: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(patterns: readonly TopicPattern[], options: ResolvedSubscribeOptions, line: ConsumeLine, counters: ConsumeCounters, parts: SubscriptionParts) {
    this.patterns = patterns.map(({ text }) => text);
    this.group = options.group;
    this.ended = this.#ended.promise;
    this.counters = counters;
    this.#topicPatterns = patterns;
    this.#options = options;
    this.#line = line;
    this.#parts = parts;
    this.#backlog = new Backlog(options.ordered);
    this.#credit = options.inFlightMax;
    this.#settlerObserver = { settled: this.#onSettled, stale: this.#onStale, failed: this.#onSettleFailed };
  }

  get state(): Subscription["state"] {
    if (this.#closing.signal.aborted) return "closed";
    return this.#source === undefined ? "disconnected" : "connected";
  }

  /** The backend's side of it, by which the backend names it in events. */
  get source(): BackendSubscription | undefined {
    return this.#source;
  }

  /** Resolves when the first session has taken the subscription; rejects when it never will. */
  start(): Promise<void> {
    this.#loop = this.#run();
    return this.#ready.promise;
  }

  stats(): SubscriptionStats {
    return { ...this.counters, inFlight: this.#flights.length, running: this.#running, waiting: this.#backlog.size + this.#due.length };
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#receiving.abort();
    if (this.group !== undefined) this.#giveBackUnstarted(); // a live copy cannot be given back: it waits for resume
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#receiving = new AbortController();
    this.#startNext();
    this.#wake();
  }

  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#drain(options.timeoutMs ?? this.#parts.closeTimeoutMs);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  publishFrom(message: WireMessage, topic: string, payload: unknown, options: PublishOptions | undefined): Promise<PublishReceipt> {
    return this.#parts.publishFrom(message, topic, payload, options);
  }

  loggerFor(flight: Flight): Logger {
    return childLogger(this.#parts.logger, { messageId: flight.message.id, topic: flight.message.topic, group: this.group, attempt: flight.attempt });
  }

  // ── Sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #run(): Promise<void> {
    const closing = this.#closing.signal;
    for (let failures = 0; !closing.aborted; ) {
      try {
        const source = await this.#connect();
        failures = 0;
        await this.#pump(source);
      } catch (thrown) {
        const error = asError(thrown);
        this.#loseSource(error);
        if (closing.aborted) return;
        if (isFinal(error)) return this.#stop(error as HalyardError);
        if (failures++ > 0) this.#parts.warn(`Subscribing to ${this.patterns.join(", ")} failed; it is tried again.`, error);
        await sleep(this.#parts.clock, this.#backoffMs(failures), closing);
      }
    }
  }

  async #connect(): Promise<BackendSubscription> {
    const { keeper, clock, requestTimeoutMs } = this.#parts;
    const closing = this.#closing.signal;
    const session = await keeper.session(closing);
    demand(session.capabilities, this.#options);
    const source = await withDeadline(
      clock,
      requestTimeoutMs,
      `Subscribing to ${this.patterns.join(", ")}`,
      (signal) => this.#subscribe(session, signal),
      closing,
    );
    if (closing.aborted) {
      await source.close();
      throw new HalyardError("CLOSED", "The subscription was closed.");
    }
    this.#source = source;
    this.#settler = new Settler(source, clock, this.#settlerObserver);
    this.#leaseDueMs = source.lease === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() + source.lease.durationMs / 3;
    // A group's credit begins at 1 and opens with the first delivery that is no suspect; what cannot count cannot suspect.
    const isCautious = this.group !== undefined && session.capabilities.countsDeliveries;
    this.#credit = isCautious ? 1 : this.#options.inFlightMax;
    source.credit(this.#credit);
    if (this.#wasConnected && this.group === undefined) this.#parts.gap(this.patterns, undefined);
    this.#wasConnected = true;
    this.#ready.resolve();
    return source;
  }

  async #subscribe(session: Session, signal: AbortSignal): Promise<BackendSubscription> {
    const { inFlightMax, from, exclusive, idleExpiryMs } = this.#options;
    const group = this.group === undefined ? undefined : { name: this.group, from, exclusive, idleExpiryMs };
    const source = await session.subscribe({ patterns: this.#topicPatterns, inFlightMax, group }, signal);
    if (signal.aborted) await source.close(); // came after the deadline: nobody would ever receive from it
    return source;
  }

  async #pump(source: BackendSubscription): Promise<void> {
    const { turn } = this.#parts;
    while (!this.#closing.signal.aborted) {
      const room = this.#room();
      if (room <= 0) {
        this.#change = deferred();
        await this.#change.promise;
        continue;
      }
      const receiving = this.#receiving.signal;
      const deliveries = await source.receive(room, receiving);
      if (deliveries.length > 0) this.#take(deliveries);
      else if (!receiving.aborted) await turn.next(); // a backend that resolves empty for no reason must not make us spin
      if (turn.isOverdue()) await turn.next();
    }
  }

  #room(): number {
    if (this.#isPaused) return 0;
    return this.#credit - this.#flights.length;
  }

  #wake(): void {
    if (this.#change === undefined) return;
    this.#change.resolve();
    this.#change = undefined;
  }

  /** What was held on the source comes again. A live subscription keeps what it has: nobody else would hand it over again. */
  #loseSource(error: Error): void {
    if (this.#source === undefined) return;
    // Where only this subscription failed its session lives on: the old half must not go on receiving beside the new one.
    void this.#source.close().catch(() => undefined);
    this.#source = undefined;
    const settler = this.#settler;
    this.#settler = undefined;
    if (this.group !== undefined) {
      const reason = new HalyardError("LEASE_LOST", "The connection was lost while the message was handled: it comes again, here or elsewhere.", {
        cause: error,
      });
      for (const flight of [...this.#flights]) {
        this.#parts.survivors.note(flight.message.id);
        this.#leave(flight);
        if (flight.state === "running") flight.abort(reason);
        else this.#forget(flight);
      }
      this.#backlog.takeAll();
      this.#due = [];
    }
    settler?.end();
  }

  /** A flight that has not started is forgotten: the broker has it. */
  #forget(flight: Flight): void {
    flight.state = "over";
    this.#pausedFlights.get(flight)?.();
    this.#pausedFlights.delete(flight);
    this.#backlog.free(flight);
  }

  #stop(error: HalyardError): void {
    this.#closing.abort();
    this.#ready.promise.catch(() => undefined); // the caller of start() hears it, if there still is one
    this.#ready.reject(error);
    this.#closed ??= Promise.resolve();
    this.#parts.ended(this, error);
    this.#ended.resolve(error);
  }

  #backoffMs(failures: number): number {
    return Math.min(resubscribeDelayMsMax, resubscribeDelayMsMin * 2 ** (failures - 1)) * (0.5 + 0.5 * this.#parts.random());
  }

  // ── Deliveries ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #take(deliveries: readonly Delivery[]): void {
    const settler = this.#settler;
    const source = this.#source;
    if (settler === undefined || source === undefined) return; // lost meanwhile: they come again
    const leaseUntilMs = source.lease === undefined ? undefined : this.#parts.clock.monotonicMs() + source.lease.durationMs;
    const isAlone = this.#flights.length === 0 && deliveries.length === 1;
    let isSuspicious = false;
    for (let index = 0; index < deliveries.length; index++) {
      const delivery = deliveries[index] as Delivery; // index < length
      const flight = new Flight(delivery, settler, this, leaseUntilMs);
      flight.index = this.#flights.push(flight) - 1;
      flight.isAlone = isAlone;
      this.counters.received++;
      if (delivery.deliveries > 1) {
        this.counters.redelivered++;
        if (this.#isSuspect(delivery)) isSuspicious = true;
      }
      this.#backlog.push(flight);
    }
    if (isSuspicious) this.#isolate(isAlone);
    else if (this.#credit < this.#options.inFlightMax) this.#openUp();
    if (this.#closing.signal.aborted || (this.#isPaused && this.group !== undefined)) this.#giveBackUnstarted();
    this.#startNext();
    settler.flush();
  }

  #isSuspect(delivery: Delivery): boolean {
    if (this.group === undefined || delivery.deliveries <= crashBudget) return false;
    return delivery.deliveries - this.#parts.survivors.of(delivery.message.id) > crashBudget;
  }

  /** One at a time until the suspects are through: if one kills this process, nothing else is counted against. */
  #isolate(isAlone: boolean): void {
    this.#credit = 1;
    this.#source?.credit(1);
    if (!isAlone) this.#giveBackUnstarted();
  }

  #openUp(): void {
    this.#credit = this.#options.inFlightMax;
    this.#source?.credit(this.#credit);
  }

  #giveBackUnstarted(): void {
    const unstarted = [...this.#backlog.takeAll(), ...this.#due, ...this.#pausedFlights.keys()];
    this.#due = [];
    for (const flight of unstarted) {
      this.#pausedFlights.get(flight)?.();
      this.#pausedFlights.delete(flight);
      this.counters.released++;
      this.#settle(flight, release);
    }
  }

  #startNext(): void {
    while (this.#running < this.#options.concurrency && !this.#isPaused) {
      const flight = this.#due.length > 0 ? this.#due.shift() : this.#backlog.take();
      if (flight === undefined) return;
      this.#start(flight);
    }
  }

  #start(flight: Flight): void {
    const { clock, ticker } = this.#parts;
    flight.state = "running";
    flight.startedMs = clock.monotonicMs();
    this.#running++;
    if (this.#running === 1) ticker.add(this.#watch);
    if (this.#options.acksOnReceipt && flight.index >= 0) this.#leaveAndSettle(flight, ack);
    const verdict = deliver(flight, this.#line);
    if (verdict instanceof Promise)
      void verdict.then(
        (later) => this.#finishLater(flight, later),
        (error) => this.#finishBroken(flight, error),
      );
    else this.#finish(flight, verdict);
  }

  #finishLater(flight: Flight, verdict: Verdict): void {
    this.#finish(flight, verdict);
    this.#startNext();
  }

  /** The line itself failed, which it must not: the message goes back rather than being lost. */
  #finishBroken(flight: Flight, thrown: unknown): void {
    this.#parts.warn("The consume line failed; the message was given back.", asError(thrown));
    this.#finishLater(flight, release);
  }

  #finish(flight: Flight, verdict: Verdict): void {
    if (flight.state !== "running") return; // given up earlier
    this.#running--;
    this.#parts.handlerMs(this.#parts.clock.monotonicMs() - flight.startedMs);
    this.#conclude(flight, verdict);
    if (this.#running === 0) this.#idle?.resolve();
  }

  #conclude(flight: Flight, verdict: Verdict): void {
    if (this.#options.acksOnReceipt && verdict.type !== "again") {
      flight.state = "over"; // settled when it came
      this.#backlog.free(flight);
    } else if (verdict.type !== "again") this.#settle(flight, verdict);
    else if (this.#options.acksOnReceipt) flight.state = "over";
    else if (this.#closing.signal.aborted) this.#settle(flight, release);
    else this.#pauseInPlace(flight, verdict.delayMs);
  }

  #pauseInPlace(flight: Flight, delayMs: number): void {
    flight.state = "waiting";
    if (flight.settler !== this.#settler && this.group !== undefined) {
      this.#forget(flight); // its source is gone: it comes again
      return;
    }
    const cancel = this.#parts.clock.after(delayMs, () => {
      this.#pausedFlights.delete(flight);
      this.#due.push(flight);
      this.#startNext();
    });
    this.#pausedFlights.set(flight, cancel);
  }

  // ── Settling ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #settle(flight: Flight, outcome: Outcome): void {
    flight.state = "over";
    if (this.group === undefined && outcome.type === "move") void this.#settleLive(flight, outcome.message);
    else this.#leaveAndSettle(flight, outcome);
  }

  #leaveAndSettle(flight: Flight, outcome: Outcome): void {
    this.#leave(flight);
    if (flight.leaseUntilMs !== undefined && flight.leaseUntilMs <= this.#parts.clock.monotonicMs()) this.#refuse(flight);
    else flight.settler.add(flight, outcome);
  }

  /** The lease has lapsed by our own clock: somebody else may have the message, and some brokers would take our ack all the same. */
  #refuse(flight: Flight): void {
    this.counters.leasesLost++;
    this.#parts.leaseLost(flight);
    this.#backlog.free(flight);
  }

  /** A live copy has no inbox or dead letters of its own: the letter is published first, then the copy is done. */
  async #settleLive(flight: Flight, letter: WireMessage): Promise<void> {
    try {
      await this.#parts.publishLetter(this.#options.letterGroup ?? "", letter);
    } catch (thrown) {
      this.#parts.warn(`The dead letter of message ${flight.message.id} could not be stored.`, asError(thrown));
    }
    this.#leaveAndSettle(flight, ack);
  }

  /** No longer held: makes room. */
  #leave(flight: Flight): void {
    const { index } = flight;
    if (index < 0) return;
    const last = this.#flights.pop() as Flight; // it holds at least this flight
    if (last !== flight) {
      this.#flights[index] = last;
      last.index = index;
    }
    flight.index = -1;
    this.#wake();
  }

  readonly #onSettled = (flight: Flight, outcome: Outcome): void => {
    this.#parts.settled(flight, outcome);
    if (!this.#options.ordered) return;
    this.#backlog.free(flight);
    this.#startNext();
  };

  readonly #onStale = (flight: Flight): void => {
    this.counters.stale++;
    if (!this.#options.ordered) return;
    this.#backlog.free(flight);
    this.#startNext();
  };

  readonly #onSettleFailed = (flight: Flight, error: Error | undefined): void => {
    this.#parts.warn(`The outcome of message ${flight.message.id} could not be stored; it is tried again.`, error);
  };

  // ── Deadlines and leases ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #watch = (nowMs: number): boolean => {
    const { handlerTimeoutMs } = this.#options;
    for (const flight of [...this.#flights]) {
      if (flight.state === "running" && nowMs - flight.startedMs >= handlerTimeoutMs) this.#giveUp(flight, handlerTimeoutMs);
    }
    if (nowMs >= this.#leaseDueMs && !this.#isExtending) void this.#extendLeases(nowMs);
    return this.#flights.length > 0;
  };

  /** The handler hangs: its message is retried as if it had thrown; what it still does is ignored. */
  #giveUp(flight: Flight, timeoutMs: number): void {
    const error = new HalyardError("HANDLER_TIMEOUT", `The handler took longer than ${timeoutMs} ms (handlerTimeoutMs).`);
    this.counters.timedOut++;
    flight.abort(error);
    const verdict = afterFailure(flight, this.#line, error);
    this.#running--;
    if (verdict.type !== "again") this.#conclude(flight, verdict);
    else {
      // The hung run still holds the old flight: the next one gets its own, so that a late end cannot be taken for this one's.
      flight.state = "over";
      const next = flight.again();
      this.#leave(flight);
      next.index = this.#flights.push(next) - 1;
      this.#conclude(next, verdict);
    }
    this.#startNext();
    if (this.#running === 0) this.#idle?.resolve();
  }

  async #extendLeases(nowMs: number): Promise<void> {
    const lease = this.#source?.lease;
    if (lease === undefined) return;
    this.#leaseDueMs = nowMs + lease.durationMs / 3;
    const held = this.#flights.filter((flight) => flight.leaseUntilMs !== undefined);
    if (held.length === 0) return;
    this.#isExtending = true;
    try {
      const lost = new Set(await lease.extend(held.map((flight) => flight.delivery.receipt)));
      for (const flight of held) {
        if (!lost.has(flight.delivery.receipt)) flight.leaseUntilMs = nowMs + lease.durationMs;
        else {
          flight.leaseUntilMs = 0;
          flight.abort(new HalyardError("LEASE_LOST", "The broker took the message back while it was handled."));
        }
      }
    } catch (thrown) {
      this.#parts.warn("Leases could not be extended.", asError(thrown)); // what lapses by our clock is not settled
    } finally {
      this.#isExtending = false;
    }
  }

  // ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #drain(timeoutMs: number): Promise<void> {
    const { clock } = this.#parts;
    const untilMs = clock.monotonicMs() + timeoutMs;
    this.#closing.abort();
    this.#ready.promise.catch(() => undefined);
    this.#ready.reject(new HalyardError("CLOSED", "The subscription was closed."));
    this.#receiving.abort();
    this.#wake();
    this.#giveBackUnstarted();
    await this.#handlersEnd(timeoutMs);
    const settler = this.#settler;
    if (settler !== undefined) await within(clock, Math.max(100, untilMs - clock.monotonicMs()), settler.drain());
    const source = this.#source;
    if (source !== undefined) await within(clock, this.#parts.requestTimeoutMs, source.close());
    settler?.end();
    await this.#loop;
    this.#parts.ended(this, undefined);
    this.#ended.resolve(undefined);
  }

  /** After the deadline the rest is told to stop; what it holds is given back by closing the source. */
  async #handlersEnd(timeoutMs: number): Promise<void> {
    if (this.#running === 0) return;
    this.#idle = deferred();
    const isIdle = await within(this.#parts.clock, timeoutMs, this.#idle.promise);
    if (isIdle) return;
    const error = new HalyardError("CLOSED", `The subscription was closed and its handler did not end within ${timeoutMs} ms.`);
    for (const flight of this.#flights) flight.abort(error);
    this.#parts.warn(`${this.#running} handlers did not end within ${timeoutMs} ms of closing; their messages come again.`, undefined);
  }
}

/** Whether the promise settled in time. Its rejection counts as settled: who closes has nobody to hand it to. */
async function within(clock: Clock, timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
  let cancel: () => void = () => undefined;
  const late = new Promise<false>((resolve) => {
    cancel = clock.after(timeoutMs, () => resolve(false));
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  const isSettled = await Promise.race([settled, late]);
  cancel();
  return isSettled;
}

/** Errors after which trying again is pointless. */
function isFinal(error: Error): boolean {
  if (!isHalyardError(error) || error.retryable) return false;
  return error.code !== "BACKEND_FAILED" && error.code !== "PROTOCOL_ERROR" && error.code !== "ABORTED";
}

/** What this subscription relies on must be true of every session, also of one after a reconnect to another or weaker broker. @throws UNSUPPORTED */
function demand(capabilities: Capabilities, options: ResolvedSubscribeOptions): void {
  const { exclusive, from, ordered } = options;
  if (exclusive && !capabilities.exclusive) throw unsupported("exclusive subscriptions");
  if (from === "earliest" && !capabilities.startsAt.earliest) throw unsupported('from: "earliest"');
  if (typeof from === "object" && !capabilities.startsAt.time) throw unsupported("from: { timeMs }");
  if (ordered && !capabilities.orderedTopics) throw unsupported("ordered subscriptions");
}

function unsupported(what: string): HalyardError {
  return new HalyardError("UNSUPPORTED", `This backend does not support ${what}.`);
}
