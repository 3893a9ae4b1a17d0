/**
 * A backend that does nothing by itself: a test hands out deliveries, answers publishes and ends sessions. What is not scripted succeeds, and what a
 * test did not expect to be called throws.
 */
import { HalyardError } from "../src/errors.ts";
import { noHeaders } from "../src/message.ts";
import type { Backend, Host, PublishRequest, PublishStatus, Session } from "../src/spi/backend.ts";
import type { Capabilities } from "../src/spi/capabilities.ts";
import type { Admin, DeadLetters, History } from "../src/spi/control.ts";
import type { Delivery, Outcome, Settlement, SettleStatus, WireMessage } from "../src/spi/message.ts";
import type { BackendSubscription, SubscribeRequest } from "../src/spi/subscription.ts";
import { type Deferred, deferred } from "../src/waiting.ts";

export const fakeCapabilities: Capabilities = {
  durable: true,
  dedupMs: 60_000,
  orderedTopics: true,
  exclusive: true,
  priorityLevels: 10,
  delayMsMax: 1e12,
  delayLateness: { ratio: 0, floorMs: 10 },
  countsDeliveries: true,
  handlerMsMax: undefined,
  startsAt: { earliest: true, time: true },
  bodyBytesMax: 1_000_000,
  carriesValues: false,
  persistentByMessage: true,
};

export class FakeBackend implements Backend {
  readonly specVersion = 1;
  readonly name = "fake";
  readonly sessions: FakeSession[] = [];
  capabilities = fakeCapabilities;
  /** Given, it makes the session of each attempt to connect, or fails it. */
  onConnect: ((attempt: number, signal: AbortSignal) => Promise<FakeSession>) | undefined;
  /** Whether publishes are accepted without being asked. */
  accepts = true;
  attempts = 0;
  host: Host | undefined;

  async connect(host: Host, signal: AbortSignal): Promise<Session> {
    this.host = host;
    this.attempts++;
    const session = this.onConnect === undefined ? this.newSession() : await this.onConnect(this.attempts, signal);
    if (!this.sessions.includes(session)) this.sessions.push(session);
    return session;
  }

  newSession(): FakeSession {
    return new FakeSession(this.capabilities, this.accepts);
  }

  /** The latest session. */
  get session(): FakeSession {
    const session = this.sessions.at(-1);
    if (session === undefined) throw new Error("There is no session yet.");
    return session;
  }

  /** The latest subscription of the latest session. */
  get subscription(): FakeSubscription {
    const subscription = this.session.subscriptions.at(-1);
    if (subscription === undefined) throw new Error("There is no subscription yet.");
    return subscription;
  }
}

/** One call of `Session.publish`, to be answered by the test. */
export class PublishCall {
  readonly messages: readonly WireMessage[];
  readonly request: PublishRequest;
  readonly answer: Deferred<readonly PublishStatus[] | undefined> = deferred();

  constructor(messages: readonly WireMessage[], request: PublishRequest) {
    this.messages = messages;
    this.request = request;
    this.answer.promise.catch(() => undefined);
  }

  get ids(): readonly string[] {
    return this.messages.map(({ id }) => id);
  }

  accept(): void {
    this.answer.resolve(undefined);
  }

  /** The same status for all. */
  all(status: PublishStatus): void {
    this.answer.resolve(this.messages.map(() => status));
  }
}

const unexpected = (): never => {
  throw new Error("This call was not expected.");
};

export class FakeSession implements Session {
  readonly capabilities: Capabilities;
  readonly publishes: PublishCall[] = [];
  readonly subscriptions: FakeSubscription[] = [];
  accepts: boolean;
  isClosed = false;
  closeCalls = 0;
  onSubscribe: ((request: SubscribeRequest, signal: AbortSignal) => Promise<void>) | undefined;
  onClose: (() => Promise<void>) | undefined;
  /** For the subscriptions that follow. */
  lease: BackendSubscription["lease"];
  deadLetters: DeadLetters = { count: unexpected, purge: unexpected, walk: unexpected };
  admin: Admin = {
    ping: async () => undefined,
    warnings: async () => [],
    defineGroup: unexpected,
    removeGroup: unexpected,
    purgeGroup: unexpected,
    group: unexpected,
    groups: async () => undefined,
    topics: async () => undefined,
  };
  history: History | undefined;
  readonly #closed: Deferred<Error | undefined> = deferred();

  constructor(capabilities: Capabilities = fakeCapabilities, accepts = true) {
    this.capabilities = capabilities;
    this.accepts = accepts;
  }

  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  /** All that was published, in order. */
  get published(): readonly WireMessage[] {
    return this.publishes.flatMap(({ messages }) => messages);
  }

  publish(messages: readonly WireMessage[], request: PublishRequest): Promise<readonly PublishStatus[] | undefined> {
    if (this.isClosed) return Promise.reject(new HalyardError("CONNECTION_LOST", "The fake session is over."));
    const call = new PublishCall(messages, request);
    this.publishes.push(call);
    if (this.accepts) call.accept();
    return call.answer.promise;
  }

  async subscribe(request: SubscribeRequest, signal: AbortSignal): Promise<BackendSubscription> {
    await this.onSubscribe?.(request, signal);
    if (this.isClosed) throw new HalyardError("CONNECTION_LOST", "The fake session is over.");
    const subscription = new FakeSubscription(request, this.lease);
    this.subscriptions.push(subscription);
    return subscription;
  }

  async close(): Promise<void> {
    this.closeCalls++;
    await this.onClose?.();
    this.#end(undefined);
  }

  /** The connection breaks. */
  lose(error: Error = new HalyardError("CONNECTION_LOST", "The fake connection broke.")): void {
    this.#end(error);
  }

  #end(error: Error | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const reason = error ?? new HalyardError("CLOSED", "The fake session was closed.");
    for (const call of this.publishes) call.answer.reject(reason);
    for (const subscription of this.subscriptions) subscription.fail(reason);
    this.#closed.resolve(error);
  }
}

export interface Settled {
  readonly receipt: unknown;
  readonly outcome: Outcome;
}

export class FakeSubscription implements BackendSubscription {
  readonly request: SubscribeRequest;
  readonly lease: BackendSubscription["lease"];
  readonly credits: number[] = [];
  readonly settled: Settled[] = [];
  /** What `receive` was asked for. */
  readonly asked: number[] = [];
  isClosed = false;
  onSettle: ((settlements: readonly Settlement[]) => Promise<readonly SettleStatus[] | undefined>) | undefined;
  #queue: Delivery[] = [];
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(request: SubscribeRequest, lease: BackendSubscription["lease"]) {
    this.request = request;
    this.lease = lease;
  }

  /** Deliveries handed over, in one piece where there is room. */
  deliver(...deliveries: readonly Delivery[]): void {
    this.#queue.push(...deliveries);
    this.#wake?.();
  }

  /** Deliveries that core has not taken. */
  get untaken(): number {
    return this.#queue.length;
  }

  /** Outcome types by receipt, in order of settling, e.g. `["a:ack"]`. */
  get outcomes(): readonly string[] {
    return this.settled.map(({ receipt, outcome }) => `${String(receipt)}:${outcome.type === "move" ? outcome.to : outcome.type}`);
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#wake?.();
  }

  async receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    this.asked.push(max);
    if (this.#wake !== undefined) throw new Error("receive was called twice at once");
    while (this.#queue.length === 0 && this.#error === undefined && !signal.aborted && !this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", this.#onAbort);
      });
      signal.removeEventListener("abort", this.#onAbort);
      this.#wake = undefined;
    }
    if (this.#error !== undefined) throw this.#error;
    return signal.aborted ? [] : this.#queue.splice(0, max);
  }

  readonly #onAbort = (): void => this.#wake?.();

  credit(inFlightMax: number): void {
    this.credits.push(inFlightMax);
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    if (this.#error !== undefined) throw this.#error;
    const statuses = await this.onSettle?.(settlements);
    settlements.forEach(({ receipt, outcome }, index) => {
      if (statuses === undefined || statuses[index] === "done") this.settled.push({ receipt, outcome });
    });
    return statuses;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.#wake?.();
  }
}

export function wire(changes: Partial<WireMessage> = {}): WireMessage {
  return {
    topic: "a.b",
    id: "m1",
    timeMs: 1_700_000_000_000,
    attempt: 1,
    contentType: "application/json",
    body: Buffer.from(JSON.stringify({ n: 1 })),
    headers: noHeaders,
    priority: 4,
    persistent: true,
    ...changes,
  };
}

/** A delivery whose receipt is its message's id. */
export function delivery(id: string, changes: Partial<WireMessage> = {}, deliveries = 1): Delivery {
  return { message: wire({ id, ...changes }), deliveries, receipt: id };
}
