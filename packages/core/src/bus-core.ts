/** What stands behind a `Bus`: it wires the keeper, the outbox and the subscriptions together, and tells listeners what they report. */
import type { Bus } from "./bus.ts";
import type { ResolvedBusOptions } from "./bus-options.ts";
import { closeOnSignal } from "./close-on-signal.ts";
import { ConnectionReports } from "./connection-reports.ts";
import type { ConsumeLine } from "./consume.ts";
import { inConversation } from "./conversation.ts";
import { type DeadLettersParts, deadLettersOf, type GroupDeadLetters } from "./dead-letters.ts";
import { type Deliveries, deliveriesFrom } from "./deliveries.ts";
import { channels } from "./diagnostics.ts";
import { Emitter } from "./emitter.ts";
import type { PackContext, PublishOptions } from "./envelope.ts";
import { HalyardError } from "./errors.ts";
import { type BusEvents, eventNames } from "./events.ts";
import type { Flight } from "./flight.ts";
import { type ControlCall, GroupDefinitions, groupsOf } from "./groups.ts";
import { type HistoryOptions, readHistory, readHistoryById } from "./history.ts";
import { createIdSourceAt } from "./id.ts";
import { type Health, health, type Inspection, type InspectParts, inspect } from "./inspect.ts";
import { loggableError } from "./logger.ts";
import { topicMatcher } from "./matcher.ts";
import { addConsumption, type ConsumeCounters, Metrics, type MetricsSnapshot, noConsumption } from "./metrics.ts";
import { type HandleStep, handleChain, publishChain } from "./middleware.ts";
import { about, consumeObserver, outboxObserver } from "./observers.ts";
import { Outbox } from "./outbox.ts";
import { ack } from "./outcome.ts";
import type { PublishReceipt } from "./outgoing.ts";
import { parsePattern, type TopicPattern } from "./pattern.ts";
import { type PublishLine, publish, publishTo } from "./publish.ts";
import { type BatchItem, publishBatch } from "./publish-batch.ts";
import { Repeats } from "./repeats.ts";
import { SessionKeeper } from "./session-keeper.ts";
import type { Session } from "./spi/backend.ts";
import type { Capabilities } from "./spi/capabilities.ts";
import type { Outcome, WireMessage } from "./spi/message.ts";
import { type ResolvedSubscribeOptions, resolveSubscribeOptions, type SubscribeOptions } from "./subscribe-options.ts";
import { RunningSubscription, type Subscription, type SubscriptionParts } from "./subscription.ts";
import { Survivors } from "./survivors.ts";
import { Ticker } from "./ticker.ts";
import { assertGroupName, shown, topicCheck } from "./topic.ts";
import { validateReceived } from "./topics/topic-schemas.ts";
import { withDeadline, withStepDeadline } from "./waiting.ts";

export class BusCore {
  readonly namespace: string;
  readonly backend: string;
  readonly groups: Bus["groups"];
  readonly #options: ResolvedBusOptions;
  readonly #emitter: Emitter<BusEvents>;
  readonly #metrics = new Metrics();
  readonly #ticker: Ticker;
  readonly #keeper: SessionKeeper;
  readonly #outbox: Outbox;
  readonly #line: PublishLine;
  readonly #subscriptions = new Set<RunningSubscription>();
  readonly #definitions = new GroupDefinitions();
  readonly #survivors = new Survivors();
  readonly #repeats: Repeats;
  readonly #reports: ConnectionReports;
  readonly #stopListening: (() => void)[] = [];
  #capabilities: Capabilities | undefined;
  #packing: PackContext;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedBusOptions) {
    const { clock, limits, backend, random } = options;
    this.#options = options;
    this.namespace = options.namespace;
    this.backend = backend.name;
    this.#emitter = new Emitter<BusEvents>((error, event) => options.logger.error({ event, error: loggableError(error) }, "A listener of the bus failed."));
    this.#reports = new ConnectionReports({
      backend: this.backend,
      namespace: this.namespace,
      emitter: this.#emitter,
      logger: options.logger,
      subscriptions: this.#subscriptions,
    });
    this.#ticker = new Ticker(clock);
    this.#repeats = new Repeats(clock);
    const nextId = createIdSourceAt(options.idRandom);
    this.#keeper = new SessionKeeper({
      backend,
      clock,
      random,
      connectTimeoutMs: limits.connectTimeoutMs,
      startTimeoutMs: limits.startTimeoutMs,
      host: { namespace: options.namespace, clientName: nextId(clock.nowMs()), clock, random, report: (event) => this.#reports.fromBackend(event) },
      onConnected: (session, isFirst) => this.#onConnected(session, isFirst),
      onLost: (error) => this.#onLost(error),
      onConnectFailed: (error, attempt) => this.#reports.connectFailed(error, attempt),
    });
    this.#packing = { encoding: options.encoding, source: options.source, nextId, bodyBytesMax: options.encoding.bodyBytesMax, carriesValues: false };
    this.#outbox = new Outbox({ keeper: this.#keeper, clock, ticker: this.#ticker, limits, observer: outboxObserver(this.#metrics) });
    this.#line = {
      schemas: options.topics?.schemas,
      packing: () => this.#packing,
      capabilities: () => this.#capabilities,
      assertTopic: topicCheck(),
      timeoutMs: limits.publishTimeoutMs,
      outbox: this.#outbox,
      nowMs: () => clock.nowMs(),
      isClosed: () => this.#isClosed,
      middleware: publishChain(options.middleware, (draft, target) => publishTo(this.#line, target, draft.topic, draft.payload, draft.options)),
      turns: new Map(),
      plain: { target: undefined, isFresh: true, wantsPosition: false, timeoutMs: limits.publishTimeoutMs, signal: undefined },
    };
    this.groups = groupsOf(this.#call, this.#definitions);
  }

  async start(): Promise<void> {
    try {
      await this.#keeper.start(this.#options.signal);
    } catch (error) {
      await this.close();
      throw error;
    }
    const { closeOnSignals, logger } = this.#options;
    for (const signal of closeOnSignals) this.#stopListening.push(closeOnSignal(signal, logger, () => this.close()));
  }

  // ── Publishing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  publish(topic: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt> {
    return publish(this.#line, undefined, topic, payload, options);
  }

  publishBatch(items: readonly BatchItem[]): Promise<readonly PublishReceipt[]> {
    return publishBatch(this.#line, items);
  }

  async send(group: string, topic: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt> {
    assertGroupName(group);
    return publish(this.#line, { group }, topic, payload, options);
  }

  async #replyTo(cause: WireMessage, topic: string, payload: unknown, options: PublishOptions | undefined): Promise<PublishReceipt> {
    if (cause.replyTo === undefined) throw new HalyardError("INVALID_OPTIONS", `Message ${cause.id} asks for no answer: its publisher gave no replyTo.`);
    return this.send(cause.replyTo, topic, payload, inConversation(cause, options));
  }

  async #publishLetter(group: string, letter: WireMessage): Promise<void> {
    await this.#outbox.add(letter, {
      target: { deadLetters: group },
      isFresh: false,
      wantsPosition: false,
      timeoutMs: this.#options.limits.publishTimeoutMs,
      signal: undefined,
    });
  }

  // ── Subscribing ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async subscribe(pattern: string | readonly string[], options: SubscribeOptions | HandleStep, handler?: HandleStep): Promise<Subscription> {
    const [given, handle] = typeof options === "function" ? [{}, options] : [options, handler];
    // The options behind the handler would be left out, and with them the group: a live copy instead of durable work.
    if (typeof handle !== "function" || (given !== options && handler !== undefined))
      throw new HalyardError("INVALID_OPTIONS", "subscribe needs a handler: subscribe(pattern, handler) or subscribe(pattern, options, handler).");
    this.#assertOpen();
    const patterns = patternsOf(pattern);
    const resolved = resolveSubscribeOptions(given, this.#options.retry);
    if (resolved.signal?.aborted) throw new HalyardError("ABORTED", "The subscription's signal had aborted already.");
    const counters = noConsumption();
    const line = this.#consumeLine(patterns, resolved, counters, handle);
    const subscription = new RunningSubscription(patterns, resolved, line, counters, this.#subscriptionParts(counters));
    if (resolved.group !== undefined) this.#definitions.join(resolved.group, subscription.patterns, resolved.exclusive);
    this.#subscriptions.add(subscription);
    const close = (): void => void subscription.close();
    resolved.signal?.addEventListener("abort", close, { once: true });
    void subscription.ended.then(() => resolved.signal?.removeEventListener("abort", close));
    try {
      await subscription.start();
    } catch (error) {
      await subscription.close();
      throw error;
    }
    return subscription;
  }

  deliveries(pattern: string | readonly string[], options: SubscribeOptions = {}): Deliveries {
    const concurrency = options.inFlightMax ?? options.concurrency ?? 1;
    // What waits to be taken is handed out already; only a live subscription has a buffer beside it, for nobody else has its copies.
    const window = options.group === undefined ? {} : { inFlightMax: concurrency };
    return deliveriesFrom((handler) => this.subscribe(pattern, { concurrency, ...window, ...options }, handler));
  }

  #consumeLine(patterns: readonly TopicPattern[], options: ResolvedSubscribeOptions, counters: ConsumeCounters, handler: HandleStep): ConsumeLine {
    const { clock, encoding, topics, random, middleware } = this.#options;
    const schemas = topics?.schemas;
    return {
      group: options.group,
      matches: topicMatcher(patterns),
      encoding,
      validate: schemas === undefined ? undefined : (topic, payload) => validateReceived(schemas, topic, payload),
      handle: handleChain(middleware, handler),
      retry: options.retry,
      retriesInPlace: options.group === undefined || options.ordered,
      inPlaceMsMax: options.inPlaceMsMax,
      letterGroup: options.letterGroup,
      deadLettersExpired: options.deadLettersExpired,
      messageTtlMs: options.messageTtlMs,
      isRepeat: this.#repeats.checkFor(options),
      survivors: this.#survivors,
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      random,
      observer: consumeObserver(counters, this.#emitter, this.#options.logger),
    };
  }

  /** Live: what came already. Group with `dedup`: what was handled already, remembered when it is settled. */
  #subscriptionParts(counters: ConsumeCounters): SubscriptionParts {
    const { clock, random, logger, limits } = this.#options;
    return {
      keeper: this.#keeper,
      clock,
      random,
      ticker: this.#ticker,
      survivors: this.#survivors,
      logger,
      requestTimeoutMs: limits.requestTimeoutMs,
      closeTimeoutMs: limits.closeTimeoutMs,
      publishFrom: (message, topic, payload, options) => this.publish(topic, payload, inConversation(message, options)),
      replyTo: (message, topic, payload, options) => this.#replyTo(message, topic, payload, options),
      publishLetter: (group, letter) => this.#publishLetter(group, letter),
      handlerMs: (durationMs) => this.#metrics.handlerLatency.record(durationMs),
      warn: (text, error) => this.#reports.warn(text, error),
      leaseLost: (flight) => this.#emitter.emit("lease-loss", about(flight)),
      gap: (patterns, count) => {
        counters.missed += count ?? 0;
        this.#emitter.emit("gap", { patterns, count });
      },
      settled: (flight, outcome) => this.#onSettled(flight, outcome),
      ended: (subscription, error) => this.#onEnded(subscription, error),
    };
  }

  #onSettled(flight: Flight, outcome: Outcome): void {
    if (channels.settle.hasSubscribers) channels.settle.publish({ ...about(flight), outcome: outcome.type });
    if (outcome === ack) this.#repeats.handled(flight);
  }

  #onEnded(subscription: RunningSubscription, error: HalyardError | undefined): void {
    if (!this.#subscriptions.delete(subscription)) return;
    addConsumption(this.#metrics.closedConsumption, subscription.counters);
    if (subscription.group !== undefined) this.#definitions.leave(subscription.group);
    if (error !== undefined) this.#emitter.emit("subscription-stop", { patterns: subscription.patterns, group: subscription.group, error });
  }

  // ── Control plane ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #call: ControlCall = async (what, run) => {
    this.#assertOpen();
    const { clock, limits } = this.#options;
    return withDeadline(clock, limits.requestTimeoutMs, what, async (signal) => run(await this.#keeper.session(signal), signal));
  };

  /** A walk may take long as a whole; each of its steps must not. */
  readonly #walk: DeadLettersParts["walk"] = async (what, run) => {
    const session = await this.#call("Finding a connection", async (found) => found);
    const { clock, limits } = this.#options;
    return withStepDeadline(clock, limits.requestTimeoutMs, what, (signal, ours) => run(session, signal, ours));
  };

  deadLetters(group: string): GroupDeadLetters {
    assertGroupName(group);
    return deadLettersOf(group, {
      encoding: this.#options.encoding,
      carriesValues: () => this.#capabilities?.carriesValues ?? false,
      call: this.#call,
      walk: this.#walk,
    });
  }

  history(pattern: string | readonly string[], options: HistoryOptions = {}): ReturnType<typeof readHistory> {
    return readHistory(this.#call, this.#options.encoding, patternsOf(pattern), options);
  }

  historyById(ids: readonly string[]): ReturnType<typeof readHistoryById> {
    return readHistoryById(this.#call, this.#options.encoding, ids);
  }

  inspect(): Promise<Inspection> {
    return inspect(this.#inspectParts());
  }

  health({ timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {}): Promise<Health> {
    return health(this.#inspectParts(), timeoutMs);
  }

  metrics(): MetricsSnapshot {
    const living = Array.from(this.#subscriptions, ({ counters }) => counters);
    return this.#metrics.snapshot(living, Math.max(0, this.#keeper.sessions - 1), this.#outbox.size);
  }

  on<Event extends keyof BusEvents>(event: Event, listener: (value: BusEvents[Event]) => unknown): () => void {
    if (!Object.hasOwn(eventNames, event))
      throw new HalyardError("INVALID_OPTIONS", `There is no event ${shown(event)}. Known: ${Object.keys(eventNames).join(", ")}.`);
    if (typeof listener !== "function") throw new HalyardError("INVALID_OPTIONS", `on needs a listener: on(${shown(event)}, (value) => …).`);
    return this.#emitter.on(event, listener);
  }

  #inspectParts(): InspectParts {
    return {
      namespace: this.namespace,
      backend: this.backend,
      keeper: this.#keeper,
      clock: this.#options.clock,
      call: this.#call,
      subscriptions: () => this.#subscriptions,
      publishing: () => this.#outbox.size,
    };
  }

  // ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onConnected(session: Session, isFirst: boolean): void {
    const { bodyBytesMax, carriesValues } = session.capabilities;
    this.#capabilities = session.capabilities;
    this.#packing = { ...this.#packing, bodyBytesMax: Math.min(this.#options.encoding.bodyBytesMax, bodyBytesMax), carriesValues };
    this.#reports.connected(isFirst);
    this.#outbox.wake();
  }

  #onLost(error: Error): void {
    if (!this.#ticker.hasJustStalled()) this.#survivors.noteLoss(this.#options.clock.nowMs());
    for (const subscription of this.#subscriptions) subscription.onSessionEnd(error);
    this.#reports.lost(error);
  }

  // ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  close({ timeoutMs = this.#options.limits.closeTimeoutMs }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#drain(timeoutMs);
    return this.#closing;
  }

  /** Handlers first, for they may still publish; then what they published; then the connection. */
  async #drain(timeoutMs: number): Promise<void> {
    const untilMs = this.#options.clock.monotonicMs() + timeoutMs;
    await Promise.all(Array.from(this.#subscriptions, (subscription) => subscription.close({ timeoutMs })));
    await this.#outbox.drain(Math.max(1, untilMs - this.#options.clock.monotonicMs()));
    this.#isClosed = true;
    this.#outbox.close();
    await this.#keeper.close();
    this.#ticker.close();
    this.#emitter.removeAll();
    for (const stop of this.#stopListening) stop();
  }

  #assertOpen(): void {
    if (this.#isClosed || this.#closing !== undefined) throw new HalyardError("CLOSED", "The bus is closed.");
  }
}

function patternsOf(pattern: string | readonly string[]): readonly TopicPattern[] {
  const list = typeof pattern === "string" ? [pattern] : pattern;
  if (!Array.isArray(list) || list.length === 0) throw new HalyardError("INVALID_PATTERN", "Give a pattern, or a list of at least one.");
  return [...new Set(list)].map(parsePattern);
}
