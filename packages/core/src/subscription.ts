/**
 * One running subscription: it asks the keeper for a session, subscribes on it, pulls deliveries as long as it has room, and hands them to its
 * handlers. When the session ends it does the same on the next one. What happens to a delivery is told in `handlers.ts` and `consume.ts`.
 */
import { Turn } from "./clock.ts";
import { type ConsumeLine, crashBudget } from "./consume.ts";
import { Credit } from "./credit.ts";
import { demand } from "./demands.ts";
import type { PublishOptions } from "./envelope.ts";
import { HalyardError, isHalyardError } from "./errors.ts";
import { Flight, type FlightHost } from "./flight.ts";
import { Handlers, type HandlersParts } from "./handlers.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { childLogger, type Logger } from "./logger.ts";
import { noHeaders, ownHeaders } from "./message.ts";
import type { ConsumeCounters } from "./metrics.ts";
import type { PublishReceipt } from "./outgoing.ts";
import type { TopicPattern } from "./pattern.ts";
import type { SessionKeeper } from "./session-keeper.ts";
import { Settler } from "./settler.ts";
import type { Session } from "./spi/backend.ts";
import type { Delivery, WireMessage } from "./spi/message.ts";
import type { BackendSubscription } from "./spi/subscription.ts";
import type { ResolvedSubscribeOptions } from "./subscribe-options.ts";
import type { Survivors } from "./survivors.ts";
import { asError, type Deferred, deferred, endsWithin, sharedAbort, sleep, withDeadline } from "./waiting.ts";

/** Handlers may keep the event loop waiting for so long. */
const turnMs = 16;
const resubscribeDelayMsMin = 20;
const resubscribeDelayMsMax = 5_000;
/** Closing goes on for so long after its deadline, to settle what has ended: an ack that is lost is a duplicate for somebody. */
const lastSettleMs = 500;

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
  /** As they were stated, each once. */
  readonly patterns: readonly string[];
  /** `undefined`: a live subscription. */
  readonly group: string | undefined;
  /** `disconnected`: the bus looks for a new session. */
  readonly state: "connected" | "disconnected" | "closed";
  /** Resolves when the subscription has ended: with the error where it ended by itself (`GROUP_REMOVED`, `UNSUPPORTED`). Never rejects. */
  readonly ended: Promise<HalyardError | undefined>;
  /** Its own counters, and what it holds now. */
  stats(): SubscriptionStats;
  /** Starts no more handlers and gives back what has not started, so that other members can have it. */
  pause(): void;
  /** Goes on after `pause`. */
  resume(): void;
  /** Stops receiving, waits for running handlers (`timeoutMs`, default `limits.closeTimeoutMs`), gives back the rest, flushes acks. Idempotent. A handler that awaits the closing of its own subscription waits for itself, until the deadline. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What the bus lends to its subscriptions. */
export interface SubscriptionParts extends Omit<HandlersParts, "onRoom"> {
  readonly keeper: SessionKeeper;
  readonly random: () => number;
  readonly survivors: Survivors;
  readonly logger: Logger;
  readonly requestTimeoutMs: number;
  readonly closeTimeoutMs: number;
  publishFrom(message: WireMessage, topic: string, payload: unknown, options: PublishOptions | undefined): Promise<PublishReceipt>;
  replyTo(message: WireMessage, topic: string, payload: unknown, options: PublishOptions | undefined): Promise<PublishReceipt>;
  /** The subscription is connected again after a loss and may have missed messages. */
  gap(patterns: readonly string[], count: number | undefined): void;
  ended(subscription: RunningSubscription, error: HalyardError | undefined): void;
}

export class RunningSubscription implements Subscription, FlightHost {
  readonly patterns: readonly string[];
  readonly group: string | undefined;
  readonly ended: Promise<HalyardError | undefined>;
  readonly counters: ConsumeCounters;
  readonly #topicPatterns: readonly TopicPattern[];
  readonly #options: ResolvedSubscribeOptions;
  readonly #parts: SubscriptionParts;
  readonly #handlers: Handlers;
  readonly #closing = sharedAbort();
  readonly #ended: Deferred<HalyardError | undefined> = deferred();
  readonly #ready: Deferred<void> = deferred();
  #source: BackendSubscription | undefined;
  #settler: Settler | undefined;
  #leases: LeaseKeeper | undefined;
  readonly #credit: Credit;
  #wasConnected = false;
  /** Why the source was given up, for the loop that received from it. */
  #settleError: Error | undefined;
  /** Aborted by a pause and by closing; a new one for each resume. */
  #receiving = new AbortController();
  /** Resolved when there may be room again. */
  #change: Deferred<void> | undefined;
  #loop: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(patterns: readonly TopicPattern[], options: ResolvedSubscribeOptions, line: ConsumeLine, counters: ConsumeCounters, parts: SubscriptionParts) {
    this.patterns = patterns.map(({ text }) => text);
    this.group = options.group;
    this.ended = this.#ended.promise;
    this.counters = counters;
    this.#topicPatterns = patterns;
    this.#options = options;
    this.#parts = parts;
    this.#credit = new Credit(options.group !== undefined, options.inFlightMax);
    const settleEarly = options.acksOnReceipt ? (flight: Flight): Promise<boolean> => this.#handlers.settleEarly(flight) : undefined;
    this.#handlers = new Handlers({ ...line, settleEarly }, options, counters, { ...parts, onRoom: () => this.#wake() });
    this.#ready.promise.catch(() => undefined); // the caller of start() hears it, if there still is one
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
    const { flights, running, waiting } = this.#handlers;
    return { ...this.counters, inFlight: flights.size, running, waiting };
  }

  pause(): void {
    if (this.#credit.isPaused) return;
    this.#receiving.abort();
    this.#credit.pause();
    this.#handlers.pause();
  }

  resume(): void {
    if (!this.#credit.isPaused || this.#closing.signal.aborted) return;
    this.#receiving = new AbortController();
    this.#credit.resume();
    this.#handlers.resume();
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

  replyTo(message: WireMessage, topic: string, payload: unknown, options: PublishOptions | undefined): Promise<PublishReceipt> {
    return this.#parts.replyTo(message, topic, payload, options);
  }

  loggerFor({ message, attempt }: Flight): Logger {
    return childLogger(this.#parts.logger, { messageId: message.id, topic: message.topic, group: this.group, attempt });
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
        if (isFinal(error)) return this.#stop(error);
        if (failures++ > 0) this.#parts.warn(`Subscribing to ${this.patterns.join(", ")} failed; it is tried again.`, error);
        await sleep(this.#parts.clock, this.#backoffMs(failures), closing);
      }
    }
  }

  async #connect(): Promise<BackendSubscription> {
    const { keeper, clock, requestTimeoutMs, ticker, warn } = this.#parts;
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
    keeper.prove(session);
    this.#source = source;
    this.#settler = new Settler(source, clock, this.#handlers.settlerObserver, (error) => this.#onSettleReject(source, error));
    if (source.lease !== undefined) {
      this.#leases = new LeaseKeeper(source.lease, this.#handlers.flights, clock, warn);
      ticker.add(this.#leases.watch);
    }
    this.#handlers.limitTime(session.capabilities.handlerMsMax);
    // What cannot count cannot suspect.
    this.#credit.attach(source, this.group !== undefined && session.capabilities.countsDeliveries);
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
    const turn = new Turn(turnMs);
    while (!this.#closing.signal.aborted && this.#source === source) {
      const room = this.#credit.room(this.#handlers.flights.size);
      if (room <= 0) {
        this.#change = deferred();
        await this.#change.promise;
        continue;
      }
      const receiving = this.#receiving.signal;
      const deliveries = await source.receive(room, receiving);
      if (deliveries.length > 0) this.#take(deliveries, source);
      else if (!receiving.aborted) await turn.next(); // a backend that resolves empty for no reason must not make us spin
      if (turn.isOverdue()) await turn.next();
    }
    const error = this.#settleError;
    this.#settleError = undefined;
    if (error !== undefined) throw error;
  }

  /** The session may live on although it rejected a settlement. What the source holds would be held for ever, so it is given up, and subscribed anew after a pause. */
  #onSettleReject(source: BackendSubscription, error: Error): void {
    if (this.#source !== source || this.#closing.signal.aborted) return;
    this.#settleError = error;
    this.#loseSource(error);
    this.#wake();
  }

  #wake(): void {
    if (this.#change === undefined) return;
    this.#change.resolve();
    this.#change = undefined;
  }

  /** Told by the bus: who waits for room asks the backend nothing, and would not notice that the session has ended. */
  onSessionEnd(error: Error): void {
    if (this.#closing.signal.aborted) return;
    this.#loseSource(error);
    this.#wake();
  }

  #loseSource(error: Error): void {
    const source = this.#source;
    const settler = this.#settler;
    if (source === undefined || settler === undefined) return;
    this.#source = undefined;
    this.#credit.detach();
    this.#settler = undefined;
    this.#leases?.end();
    this.#leases = undefined;
    if (this.group !== undefined) this.#noteSurvivors();
    this.#handlers.lose(settler, error);
    // Where only this subscription failed its session lives on: the old half must not go on receiving beside the new one.
    source.close().catch(() => undefined);
  }

  /** Where the process stood still until its connection was gone, a handler that ran may be why: to the broker that is no better than a crash. */
  #noteSurvivors(): void {
    const hasStalled = this.#parts.ticker.hasJustStalled();
    for (const { message, deliveries, state } of this.#handlers.flights.all())
      if (!hasStalled || state !== "running") this.#parts.survivors.note(message.id, deliveries);
  }

  #stop(error: HalyardError): void {
    this.#closing.abort();
    this.#closed ??= this.#handlers.close(this.#parts.closeTimeoutMs).then(() => undefined);
    this.#ready.reject(error);
    this.#parts.ended(this, error);
    this.#ended.resolve(error);
  }

  #backoffMs(failures: number): number {
    return Math.min(resubscribeDelayMsMax, resubscribeDelayMsMin * 2 ** (failures - 1)) * (0.5 + 0.5 * this.#parts.random());
  }

  // ── Deliveries ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #take(deliveries: readonly Delivery[], source: BackendSubscription): void {
    const settler = this.#settler;
    if (settler === undefined) return; // lost meanwhile: they come again
    const leaseUntilMs = source.lease === undefined ? undefined : this.#parts.clock.monotonicMs() + source.lease.durationMs;
    const isAlone = this.#handlers.flights.size === 0 && deliveries.length === 1;
    let isSuspicious = false;
    for (let index = 0; index < deliveries.length; index++) {
      const delivery = deliveries[index] as Delivery; // index < length
      const flight = new Flight(delivery, settler, this, leaseUntilMs);
      this.counters.received++;
      if (delivery.deliveries > 1) this.counters.redelivered++;
      if (this.#isSuspect(delivery)) {
        flight.isSuspect = true;
        isSuspicious = true;
      }
      this.#handlers.take(flight);
    }
    if (isSuspicious) this.#isolate(isAlone);
    else this.#credit.open();
    if (this.#closing.signal.aborted || (this.#credit.isPaused && this.group !== undefined)) this.#handlers.giveBackIdle();
    this.#handlers.startNext();
    settler.flush();
  }

  #isSuspect({ deliveries, message }: Delivery): boolean {
    if (deliveries <= crashBudget && message.headers === noHeaders) return false;
    if (this.group === undefined) return false;
    return message.headers[ownHeaders.trials] !== undefined || deliveries - this.#parts.survivors.of(message.id, deliveries) > crashBudget;
  }

  /**
   * One at a time until the suspects are through: if one kills this process, nothing else is counted against. What has begun is waited for, also between two
   * runs in place: given back, it would come first again, fail again, and be given back again for the suspect behind it, for ever.
   */
  #isolate(isAlone: boolean): void {
    this.#credit.narrow();
    if (!isAlone) this.#handlers.giveBackUnstarted();
  }

  // ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Stop receiving, let handlers end, give back the rest, flush, leave. */
  async #drain(timeoutMs: number): Promise<void> {
    const { clock, requestTimeoutMs, warn } = this.#parts;
    const untilMs = clock.monotonicMs() + timeoutMs;
    this.#closing.abort();
    this.#ready.reject(new HalyardError("CLOSED", "The subscription was closed."));
    this.#receiving.abort();
    this.#credit.withdraw();
    this.#wake();
    const isIdle = await this.#handlers.close(timeoutMs);
    if (!isIdle) warn(`${this.#handlers.running} handlers did not end within ${timeoutMs} ms of closing; their messages come again.`, undefined);
    // A receive that does not answer its abort (a stalled line) must not hold up closing: what it still brings is given back with the source.
    await endsWithin(clock, lastSettleMs, this.#loop);
    const settler = this.#settler;
    if (settler !== undefined) await endsWithin(clock, Math.max(lastSettleMs, untilMs - clock.monotonicMs()), settler.drain());
    if (this.#source !== undefined) await endsWithin(clock, requestTimeoutMs, this.#source.close());
    settler?.end();
    this.#leases?.end();
    this.#parts.ended(this, undefined);
    this.#ended.resolve(undefined);
  }
}

/** Errors after which trying again is pointless. */
function isFinal(error: Error): error is HalyardError {
  if (!isHalyardError(error) || error.retryable) return false;
  return error.code !== "BACKEND_FAILED" && error.code !== "PROTOCOL_ERROR" && error.code !== "ABORTED";
}
