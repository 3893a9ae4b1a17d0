/** One life of two connections: one publishes, so that a blocked publisher stops no ack, the other consumes and administers. When either ends, the session ends. */
import type {
  Admin,
  BackendSubscription,
  Capabilities,
  DeadLetters,
  History,
  Host,
  PublishRequest,
  PublishStatus,
  Session,
  SubscribeRequest,
  WireMessage,
} from "@halyard/core/spi";
import { HalyardError } from "@halyard/core/spi";
import { adminOf } from "./admin.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { openChannel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import type { ConsumerTimeout } from "./consumer-timeout.ts";
import { DeadLetterQueues } from "./dead-letters.ts";
import { lostError, sessionClosed } from "./errors.ts";
import { joinExclusive } from "./exclusive.ts";
import { afterExclusiveGone, afterGone, deletedError } from "./gone-queue.ts";
import { type Copy, type GroupPort, GroupSubscription } from "./group-subscription.ts";
import { historyOf } from "./history.ts";
import { keepUsed } from "./idle.ts";
import { type LivePort, LiveSubscription } from "./live-subscription.ts";
import { managementOf } from "./management.ts";
import type { Settings } from "./options.ts";
import { Outgoing } from "./outgoing.ts";
import { type SessionTools, toolsOf } from "./session-tools.ts";
import { type CopySource, Storing } from "./storing.ts";

export interface SessionParts {
  readonly settings: Settings;
  readonly consumerTimeout: ConsumerTimeout;
  readonly host: Host;
  readonly publishing: Connection;
  /** The same as `publishing` where one connection was handed in. */
  readonly consuming: Connection;
}

/** How often is looked whether everything that was declared is still there: a few requests each time. */
const checkMs = 30_000;

export class AmqpSession implements Session, GroupPort, LivePort {
  capabilities: Capabilities;
  readonly closed: Promise<Error | undefined>;
  readonly deadLetters: DeadLetters;
  readonly admin: Admin;
  readonly history: History | undefined;
  readonly #parts: SessionParts;
  readonly #host: Host;
  readonly #tools: SessionTools;
  readonly #outgoing: Outgoing;
  readonly #storing: Storing;
  readonly #groups = new Set<GroupSubscription>();
  readonly #lives = new Set<LiveSubscription>();
  #blocked: string | undefined;
  #lost: HalyardError | undefined;
  #isClosing = false;
  #closing: Promise<void> | undefined;
  #consumers = 0;
  #cancelCheck: () => void = () => undefined;
  #resolveClosed: (error: Error | undefined) => void = () => undefined;

  constructor(parts: SessionParts) {
    const { settings, consumerTimeout, host, publishing, consuming } = parts;
    this.#parts = parts;
    this.#host = host;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.capabilities = capabilitiesOf(settings, consuming.version, consumerTimeout.handlerMsMax);
    const tools = toolsOf(parts, { lost: () => this.#lost, blocked: () => this.#blocked, exchangeGone: (error) => this.#exchangeGone(error) });
    this.#tools = tools;
    this.#outgoing = new Outgoing(tools);
    this.#storing = new Storing(tools);
    this.deadLetters = new DeadLetterQueues({ ...tools, storing: this.#storing, ended: this.closed });
    const nextTag = (): string => `${this.nextConsumerTag("history")}/${host.random().toString(36).slice(2, 12)}`;
    this.history = settings.history === undefined ? undefined : historyOf({ ...tools, nextTag });
    const { version, product } = consuming;
    this.admin = adminOf({ ...tools, settings, consumerTimeout, management: managementOf(settings), outgoing: this.#outgoing, version, product });
    for (const connection of new Set([publishing, consuming])) void connection.ended.then((error) => this.#end(error));
    publishing.onBlocked((reason) => this.#onBlocked(reason));
  }

  /** Declares the namespace and opens the channel to publish on. */
  async start(): Promise<void> {
    await this.#tools.publisher.line();
    if (this.#lost === undefined) this.#cancelCheck = this.#checkLater();
  }

  #checkLater(): () => void {
    return this.#host.clock.after(checkMs, () => {
      // What is gone is reported; whatever else fails is tried again the next time, or ends the session by itself.
      const again = (): void => {
        if (this.#lost === undefined) this.#cancelCheck = this.#checkLater();
      };
      this.#check().then(again, again);
    });
  }

  /** Whoever only consumes would never learn that an exchange is gone, nor anybody that retries are. */
  async #check(): Promise<void> {
    const { declare, lives } = this.#tools;
    for (const member of [...this.#groups]) await lives.keep(member);
    await declare.check();
  }

  get lost(): HalyardError | undefined {
    return this.#lost;
  }

  nowMs(): number {
    return this.#host.clock.nowMs();
  }

  monotonicMs(): number {
    return this.#host.clock.monotonicMs();
  }

  nextConsumerTag(group: string): string {
    return `${this.#host.clientName}/${group}/${++this.#consumers}`;
  }

  publish(messages: readonly WireMessage[], request: PublishRequest): Promise<readonly PublishStatus[] | undefined> {
    return this.#outgoing.publish(messages, request);
  }

  store(from: CopySource, copies: readonly Copy[]): Promise<readonly boolean[]> {
    return this.#storing.store(from, copies);
  }

  async subscribe(request: SubscribeRequest, signal: AbortSignal): Promise<BackendSubscription> {
    if (this.#lost !== undefined) throw this.#lost;
    const subscription = request.group === undefined ? await this.#listen(request) : await this.#join(request, request.group);
    if (!signal.aborted) return subscription;
    await subscription.close();
    throw new HalyardError("ABORTED", "Subscribing was aborted.");
  }

  async #listen({ patterns, inFlightMax }: SubscribeRequest): Promise<LiveSubscription> {
    const { clientName, random } = this.#host;
    // Never the name of an earlier session: the broker may not have noticed yet that its connection is dead.
    const queue = this.#tools.names.live(`${clientName}.${++this.#consumers}.${random().toString(36).slice(2, 10)}`);
    const channel = await openChannel(this.#tools.channels);
    const live = new LiveSubscription(this, this.#host, channel, inFlightMax);
    this.#lives.add(live);
    try {
      await channel.call(`Declaring the queue ${queue}`, (raw) =>
        raw.assertQueue(queue, { durable: false, exclusive: true, autoDelete: true, arguments: { "x-queue-type": "classic" } }),
      );
      for (const { text } of patterns)
        await channel.call(`Binding the queue ${queue} to ${this.#tools.names.exchange}`, (raw) => raw.bindQueue(queue, this.#tools.names.exchange, text));
      await channel.call(`Consuming the queue ${queue}`, (raw) => raw.consume(queue, live.onDelivery, { noAck: true, consumerTag: queue }));
      return live;
    } catch (error) {
      await live.close();
      throw error;
    }
  }

  async #join(
    { patterns, inFlightMax }: SubscribeRequest,
    { name, from, exclusive, idleExpiryMs }: NonNullable<SubscribeRequest["group"]>,
  ): Promise<GroupSubscription> {
    const queue = this.#tools.names.group(name);
    if (from !== "new" && (await this.#tools.declare.look(queue)) === undefined)
      throw new HalyardError("UNSUPPORTED", "A group on RabbitMQ begins with what is published from now on: its queues hold no past.");
    const life = await this.#tools.declare.group(name, patterns, [], idleExpiryMs);
    const channel = await openChannel(this.#tools.channels);
    const releases: (() => Promise<void>)[] = [];
    const subscription = new GroupSubscription({
      port: this,
      group: name,
      life,
      queue,
      patterns,
      channel,
      inFlightMax,
      prefetch: this.#parts.settings.prefetch,
      countsDeliveries: this.capabilities.countsDeliveries,
      release: async () => {
        for (const release of releases.splice(0)) await release();
      },
    });
    this.#groups.add(subscription);
    try {
      if (idleExpiryMs !== undefined)
        releases.push(keepUsed(this.#host.clock, idleExpiryMs, subscription, () => this.#tools.declare.group(name, [], [], idleExpiryMs)));
      if (exclusive) {
        const membership = await joinExclusive({
          channels: this.#tools.channels,
          declare: this.#tools.declare,
          publisher: this.#tools.publisher,
          queue: this.#tools.names.exclusive(name),
          group: name,
          tag: this.nextConsumerTag(`${name}/exclusive`),
          consumerTimeout: this.#parts.consumerTimeout,
          whyGone: (declaration) => afterExclusiveGone({ ...this.#tools, host: this.#host }, subscription, declaration),
        });
        releases.push(() => membership.close());
        void membership.ended.then((error) => subscription.fail(this.#lost ?? error));
        void membership.activated.then(() => subscription.activate());
      }
      await subscription.start(!exclusive);
      return subscription;
    } catch (error) {
      await subscription.close();
      throw error;
    }
  }

  forget(subscription: GroupSubscription | LiveSubscription): void {
    if (subscription instanceof GroupSubscription) this.#groups.delete(subscription);
    else this.#lives.delete(subscription);
  }

  liveGone(): HalyardError {
    this.#host.report({ type: "recreated", what: "the queue of a live subscription", lost: "unknown" });
    return deletedError("The queue of a live subscription");
  }

  groupGone(subscription: GroupSubscription): Promise<HalyardError> {
    return afterGone({ ...this.#tools, host: this.#host }, subscription);
  }

  heldTooLong(group: string, error: Error | undefined): HalyardError | undefined {
    const { consumerTimeout, host } = this.#parts;
    const exceeded = consumerTimeout.exceeded(group, error);
    if (exceeded === undefined) return undefined;
    this.capabilities = { ...this.capabilities, handlerMsMax: consumerTimeout.handlerMsMax };
    host.report({ type: "warning", text: exceeded.message });
    return exceeded;
  }

  /** With an exchange go its bindings. The next session declares it, and subscribing anew binds the groups again. */
  #exchangeGone(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#host.report({ type: "recreated", what: `an exchange of the namespace ${this.#host.namespace}, with all bindings of groups`, lost: "unknown" });
    this.#end(error);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#lost !== undefined) return; // all of it went with its connections, and nobody would answer
    this.#isClosing = true;
    // Channels first: an ack that is still on its way when its connection closes is lost.
    const over = sessionClosed();
    await Promise.allSettled([...this.#groups, ...this.#lives].map((subscription) => subscription.close(over)));
    await this.#tools.publisher.close();
    const { publishing, consuming } = this.#parts;
    await Promise.all([consuming.close(), publishing.close()]);
    this.#end(undefined);
  }

  #end(error: Error | undefined): void {
    if (this.#lost !== undefined) return;
    this.#cancelCheck();
    this.#lost = this.#isClosing ? sessionClosed() : lostError(error);
    for (const subscription of [...this.#groups, ...this.#lives]) subscription.fail(this.#lost);
    if (this.#blocked !== undefined) this.#onBlocked(undefined);
    if (!this.#isClosing) for (const connection of [this.#parts.publishing, this.#parts.consuming]) connection.destroy();
    this.#resolveClosed(this.#isClosing ? undefined : this.#lost);
  }

  #onBlocked(reason: string | undefined): void {
    const before = this.#blocked;
    this.#blocked = reason;
    if (reason !== undefined) this.#host.report({ type: "blocked", reason });
    else if (before !== undefined) this.#host.report({ type: "unblocked", reason: before });
  }
}
