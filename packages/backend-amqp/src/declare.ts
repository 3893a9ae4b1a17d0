/** Declares what a namespace needs, and remembers what is declared: exchanges with the session, the rest when it is first used. */
import type { Host, TopicPattern } from "@halyard/core/spi";
import { isHalyardError } from "@halyard/core/spi";
import type { ChannelPool, GuardedChannel } from "./channel.ts";
import { type Declaration, DeclaredQueues } from "./declared.ts";
import { isReply, replies } from "./errors.ts";
import type { GroupLives } from "./group-life.ts";
import type { NamespaceNames } from "./names.ts";
import type { Settings } from "./options.ts";
import type { QueueArguments } from "./queue-arguments.ts";
import * as topology from "./topology.ts";

export interface DeclareParts {
  readonly pool: ChannelPool;
  readonly names: NamespaceNames;
  readonly settings: Settings;
  readonly lives: GroupLives;
  readonly host: Pick<Host, "report">;
  /** An exchange of the namespace was deleted, and with it the bindings of all groups. */
  readonly onExchangeGone: (error: Error) => void;
}

export class Declare {
  readonly #parts: DeclareParts;
  readonly #queues: DeclaredQueues;

  constructor(parts: DeclareParts) {
    this.#parts = parts;
    this.#queues = new DeclaredQueues(parts.host.report);
  }

  /** Exchanges, and the queue for what nobody waits for any more. */
  async namespace(): Promise<void> {
    const { pool, names, settings } = this.#parts;
    const { exchange, wait, due, gone, history } = names;
    await pool.use(async (channel) => {
      await channel.call(`Declaring the exchange ${exchange}`, (raw) => raw.assertExchange(exchange, "topic", { durable: true }));
      await channel.call(`Declaring the exchange ${wait}`, (raw) => raw.assertExchange(wait, "topic", { durable: true }));
      await channel.call(`Declaring the exchange ${gone}`, (raw) => raw.assertExchange(gone, "fanout", { durable: true }));
      await channel.call(`Declaring the exchange ${due}`, (raw) => raw.assertExchange(due, "topic", { durable: true, alternateExchange: gone }));
    });
    await this.#once(gone, topology.goneArguments(settings.queue), { exchange: gone, key: "" }, `the queue ${gone}`, 0);
    if (settings.history === undefined) return;
    const streamArguments = topology.historyArguments(settings.queue, settings.history);
    await this.#once(history, streamArguments, { exchange, key: "#" }, `the stream ${history} with the history`);
  }

  /** The group's queue with its way back from the ladder, then its patterns. Resolves with the life that the group is in. */
  async group(group: string, add: readonly TopicPattern[], drop: readonly TopicPattern[], idleExpiryMs?: number): Promise<number> {
    const { pool, names, settings, lives } = this.#parts;
    const queue = names.group(group);
    const wanted = topology.groupArguments(settings.queue, idleExpiryMs);
    await pool
      .use((channel) => this.#queue(channel, queue, wanted))
      .catch((error: unknown) => {
        // How long an idle group lives was said by whoever created it.
        if (isHalyardError(error, "INVALID_OPTIONS") && error.details.argument === "x-expires") return;
        throw error;
      });
    const life = await lives.read(group);
    await pool.use(async (channel) => {
      await this.#bind(channel, queue, names.due, topology.dueBinding(group, life));
      for (const { text } of add) await this.#bind(channel, queue, names.exchange, text);
      for (const { text } of drop) await channel.call(`Unbinding ${text} from ${queue}`, (raw) => raw.unbindQueue(queue, names.exchange, text));
    });
    return life;
  }

  /** Whether the group was removed on purpose since it was in this life. */
  async wasRemoved(group: string, life: number): Promise<boolean> {
    return (await this.#parts.lives.read(group)) > life;
  }

  /** Dead letters of a group, which need no group. */
  dead(group: string): Promise<void> {
    const { names, settings } = this.#parts;
    const queue = names.dead(group);
    return this.#once(queue, topology.deadArguments(settings.queue), undefined, `the queue ${queue} with the dead letters of ${group}`);
  }

  /** The queue of one class of delays. */
  wait(classMs: number): Promise<void> {
    const { names, settings } = this.#parts;
    const queue = names.waitQueue(classMs);
    const binding = { exchange: names.wait, key: topology.waitBinding(classMs) };
    return this.#once(queue, topology.waitArguments(settings.queue, classMs, names.due), binding, `the queue ${queue} with retries and delays that waited`);
  }

  /** It holds who is active, and no message. */
  exclusive(group: string): Promise<void> {
    const { names, settings } = this.#parts;
    const queue = names.exclusive(group);
    return this.#once(queue, topology.exclusiveArguments(settings.queue), undefined, `the queue ${queue} that says who is active`, 0);
  }

  /** To be had before a request that may find the queue gone. */
  current(queue: string): Declaration | undefined {
    return this.#queues.current(queue);
  }

  /** The broker had no such queue: it was deleted behind our back. Made again and reported, where this session had declared it. */
  gone(queue: string, declaration: Declaration | undefined): Promise<void> {
    return this.#queues.gone(queue, declaration);
  }

  /** The next use declares it again. */
  forget(queue: string): void {
    this.#queues.forget(queue);
  }

  /** Whether all that this session has declared is still there; what is not is made again and reported. Groups' queues are watched by their consumers. */
  async check(): Promise<void> {
    const { pool, names } = this.#parts;
    for (const exchange of [names.exchange, names.wait, names.due, names.gone])
      await this.#noticing(() => pool.use((channel) => channel.call(`Looking at the exchange ${exchange}`, (raw) => raw.checkExchange(exchange))));
    for (const queue of this.#queues.names) await this.look(queue);
  }

  /** Ready messages and consumers of a queue; `undefined`: it does not exist. */
  async look(queue: string): Promise<{ readonly messageCount: number; readonly consumerCount: number } | undefined> {
    const declaration = this.current(queue);
    const found = await this.#unlessMissing((channel) => channel.call(`Looking at the queue ${queue}`, (raw) => raw.checkQueue(queue)));
    if (found === undefined) await this.gone(queue, declaration);
    return found;
  }

  /** Returns how many were removed; `undefined`: there is no such queue. */
  async purge(queue: string): Promise<number | undefined> {
    const declaration = this.current(queue);
    const purged = await this.#unlessMissing((channel) => channel.call(`Purging the queue ${queue}`, (raw) => raw.purgeQueue(queue)));
    if (purged === undefined) await this.gone(queue, declaration);
    return purged?.messageCount;
  }

  /** Deletes the group's queue, having counted that it was meant. */
  async removeGroup(group: string): Promise<void> {
    const { pool, names, lives } = this.#parts;
    await lives.end(group);
    this.forget(names.exclusive(group));
    await pool.use(async (channel) => {
      await this.#remove(channel, names.group(group));
      await this.#remove(channel, names.exclusive(group));
    });
  }

  #once(
    queue: string,
    args: QueueArguments,
    binding: { readonly exchange: string; readonly key: string } | undefined,
    what: string,
    lost: 0 | "unknown" = "unknown",
  ): Promise<void> {
    const declare = (): Promise<void> =>
      this.#parts.pool.use(async (channel) => {
        await this.#queue(channel, queue, args);
        if (binding !== undefined) await this.#bind(channel, queue, binding.exchange, binding.key);
      });
    return this.#queues.once(queue, { what, lost, declare });
  }

  async #queue(channel: GuardedChannel, queue: string, args: QueueArguments): Promise<void> {
    await channel.call(`Declaring the queue ${queue}`, (raw) => raw.assertQueue(queue, { durable: true, arguments: args }));
  }

  async #bind(channel: GuardedChannel, queue: string, exchange: string, key: string): Promise<void> {
    await this.#noticing(() => channel.call(`Binding the queue ${queue} to ${exchange}`, (raw) => raw.bindQueue(queue, exchange, key)));
  }

  async #remove(channel: GuardedChannel, queue: string): Promise<void> {
    await channel.call(`Deleting the queue ${queue}`, (raw) => raw.deleteQueue(queue));
  }

  /** Tells an exchange that is missing from a queue that is. */
  async #noticing(run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (error instanceof Error && isReply(error.cause, replies.notFound) && /no exchange/.test(error.message)) this.#parts.onExchangeGone(error);
      throw error;
    }
  }

  async #unlessMissing<Value>(run: (channel: GuardedChannel) => Promise<Value>): Promise<Value | undefined> {
    return this.#parts.pool.use(run).catch((error: unknown) => {
      if (error instanceof Error && isReply(error.cause, replies.notFound)) return undefined;
      throw error;
    });
  }
}
