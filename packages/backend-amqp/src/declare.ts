/** Declares what a namespace needs, and remembers what is declared: exchanges with the session, the rest when it is first used. */
import type { TopicPattern } from "@halyard/core/spi";
import { isHalyardError } from "@halyard/core/spi";
import type { ChannelPool, GuardedChannel } from "./channel.ts";
import { isReply, replies } from "./errors.ts";
import type { NamespaceNames } from "./names.ts";
import type { Settings } from "./options.ts";
import type { QueueArguments } from "./queue-arguments.ts";
import * as topology from "./topology.ts";

export interface DeclareParts {
  readonly pool: ChannelPool;
  readonly names: NamespaceNames;
  readonly settings: Settings;
}

export class Declare {
  readonly #parts: DeclareParts;
  readonly #done = new Map<string, Promise<void>>();

  constructor(parts: DeclareParts) {
    this.#parts = parts;
  }

  /** Exchanges, and the queue for what nobody waits for any more. */
  async namespace(): Promise<void> {
    const { pool, names, settings } = this.#parts;
    const { exchange, wait, due, gone, history } = names;
    await pool.use(async (channel) => {
      await channel.call(`Declaring the exchange ${exchange}`, (raw) => raw.assertExchange(exchange, "topic", { durable: true }));
      await channel.call(`Declaring the exchange ${wait}`, (raw) => raw.assertExchange(wait, "topic", { durable: true }));
      await channel.call(`Declaring the exchange ${gone}`, (raw) => raw.assertExchange(gone, "fanout", { durable: true }));
      await this.#queue(channel, gone, topology.goneArguments(settings.queue));
      await this.#bind(channel, gone, gone, "");
      await channel.call(`Declaring the exchange ${due}`, (raw) => raw.assertExchange(due, "topic", { durable: true, alternateExchange: gone }));
      if (settings.history === undefined) return;
      await this.#queue(channel, history, topology.historyArguments(settings.queue, settings.history));
      await this.#bind(channel, history, exchange, "#");
    });
  }

  /** The group's queue with its way back from the ladder, then its patterns. */
  async group(group: string, add: readonly TopicPattern[], drop: readonly TopicPattern[], idleExpiryMs?: number): Promise<void> {
    const { pool, names, settings } = this.#parts;
    const queue = names.group(group);
    const wanted = topology.groupArguments(settings.queue, idleExpiryMs);
    await pool
      .use((channel) => this.#queue(channel, queue, wanted))
      .catch((error: unknown) => {
        // How long an idle group lives was said by whoever created it.
        if (isHalyardError(error, "INVALID_OPTIONS") && error.details.argument === "x-expires") return;
        throw error;
      });
    await pool.use(async (channel) => {
      await this.#bind(channel, queue, names.due, topology.dueBinding(group));
      for (const { text } of add) await this.#bind(channel, queue, names.exchange, text);
      for (const { text } of drop) await channel.call(`Unbinding ${text} from ${queue}`, (raw) => raw.unbindQueue(queue, names.exchange, text));
      await this.#remove(channel, names.removed(group));
    });
  }

  /** Dead letters of a group, which need no group. */
  dead(group: string): Promise<void> {
    const { names, settings } = this.#parts;
    const queue = names.dead(group);
    return this.#once(queue, (channel) => this.#queue(channel, queue, topology.deadArguments(settings.queue)));
  }

  /** The queue of one class of delays. */
  wait(classMs: number): Promise<void> {
    const { names, settings } = this.#parts;
    const queue = names.waitQueue(classMs);
    return this.#once(queue, async (channel) => {
      await this.#queue(channel, queue, topology.waitArguments(settings.queue, classMs, names.due));
      await this.#bind(channel, queue, names.wait, topology.waitBinding(classMs));
    });
  }

  exclusive(group: string): Promise<void> {
    const { names, settings } = this.#parts;
    const queue = names.exclusive(group);
    return this.#once(queue, (channel) => this.#queue(channel, queue, topology.exclusiveArguments(settings.queue)));
  }

  /** What was declared may be gone: the next use declares again. */
  forget(queue?: string): void {
    if (queue === undefined) this.#done.clear();
    else this.#done.delete(queue);
  }

  /** Ready messages and consumers of a queue; `undefined`: it does not exist. */
  async look(queue: string): Promise<{ readonly messageCount: number; readonly consumerCount: number } | undefined> {
    return this.#unlessMissing((channel) => channel.call(`Looking at the queue ${queue}`, (raw) => raw.checkQueue(queue)));
  }

  /** Returns how many were removed; `undefined`: there is no such queue. */
  async purge(queue: string): Promise<number | undefined> {
    const purged = await this.#unlessMissing((channel) => channel.call(`Purging the queue ${queue}`, (raw) => raw.purgeQueue(queue)));
    return purged?.messageCount;
  }

  /** Deletes the group's queue, having left a mark that says it was meant. */
  async removeGroup(group: string): Promise<void> {
    const { pool, names } = this.#parts;
    await pool.use(async (channel) => {
      await this.#queue(channel, names.removed(group), topology.removedArguments);
      await this.#remove(channel, names.group(group));
      await this.#remove(channel, names.exclusive(group));
    });
    this.forget(names.exclusive(group));
  }

  async wasRemoved(group: string): Promise<boolean> {
    return (await this.look(this.#parts.names.removed(group))) !== undefined;
  }

  async #queue(channel: GuardedChannel, queue: string, args: QueueArguments): Promise<void> {
    await channel.call(`Declaring the queue ${queue}`, (raw) => raw.assertQueue(queue, { durable: true, arguments: args }));
  }

  async #bind(channel: GuardedChannel, queue: string, exchange: string, key: string): Promise<void> {
    await channel.call(`Binding the queue ${queue} to ${exchange}`, (raw) => raw.bindQueue(queue, exchange, key));
  }

  async #remove(channel: GuardedChannel, queue: string): Promise<void> {
    await channel.call(`Deleting the queue ${queue}`, (raw) => raw.deleteQueue(queue));
  }

  #once(queue: string, run: (channel: GuardedChannel) => Promise<void>): Promise<void> {
    let done = this.#done.get(queue);
    if (done === undefined) {
      done = this.#parts.pool.use(run);
      this.#done.set(queue, done);
      done.catch(() => this.#done.delete(queue)); // the next use tries again; this one hears it from `done`
    }
    return done;
  }

  async #unlessMissing<Value>(run: (channel: GuardedChannel) => Promise<Value>): Promise<Value | undefined> {
    return this.#parts.pool.use(run).catch((error: unknown) => {
      if (error instanceof Error && isReply(error.cause, replies.notFound)) return undefined;
      throw error;
    });
  }
}
