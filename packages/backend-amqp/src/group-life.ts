/**
 * Which life of its name a group is in. Copies that wait are in queues that all groups share, so nobody can take those of a removed group out cheaply:
 * each queue would have to be read to its end and given back. They wait to their end instead, under a key that holds the life of their group, and only the
 * queue of that life is bound to it: what comes out after its group was removed is swallowed (`goneArguments`), also where the same name lives again.
 *
 * A life is a number: how often the name was removed lately. The broker counts it, as the messages in the queue `names.removed`, which are only ever
 * counted, never taken, and are gone when the name was not used for longer than anything waits. So most groups have no such queue, and are in life 0.
 */
import { HalyardError, isHalyardError } from "@halyard/core/spi";
import { type ChannelParts, type ChannelPool, openConfirmChannel } from "./channel.ts";
import { isReply, replies } from "./errors.ts";
import type { NamespaceNames } from "./names.ts";
import { removedArguments } from "./topology.ts";

export interface GroupLivesParts {
  readonly channels: ChannelParts;
  readonly pool: ChannelPool;
  readonly names: NamespaceNames;
}

/** Somebody who joins may delete the queue just before the first message is in. */
const triesMax = 20;

export class GroupLives {
  readonly #parts: GroupLivesParts;

  constructor(parts: GroupLivesParts) {
    this.#parts = parts;
  }

  /** To be read after the group's queue is declared: whoever removes it counts first and then deletes. */
  async read(group: string): Promise<number> {
    const { pool, names } = this.#parts;
    const queue = names.removed(group);
    // Silent where there is none, which is the usual case; a passive look would be an error in the broker's log.
    return pool
      .use((channel) => channel.call(`Deleting the queue ${queue}`, (raw) => raw.deleteQueue(queue, { ifEmpty: true })))
      .then(
        () => 0,
        (error: unknown) => {
          if (isHalyardError(error) && isReply(error.cause, replies.preconditionFailed)) return this.#count(group);
          throw error;
        },
      );
  }

  /** Counts one more removal. Resolves when the broker has stored it. */
  async end(group: string): Promise<void> {
    const { channels, names } = this.#parts;
    const queue = names.removed(group);
    const before = await this.#count(group);
    const channel = await openConfirmChannel(channels);
    try {
      for (let rest = triesMax; rest > 0; rest--) {
        await channel.call(`Publishing to the queue ${queue}`, async (raw) => {
          raw.sendToQueue(queue, Buffer.alloc(0), { persistent: true });
          await raw.waitForConfirms();
        });
        if ((await this.#count(group)) > before) return;
      }
      throw new HalyardError("BACKEND_FAILED", `The removal of the group ${group} cannot be noted in the queue ${queue}: nothing is removed. Try again.`, {
        retryable: true,
      });
    } finally {
      await channel.close();
    }
  }

  /** Declaring counts as use: a life must not be forgotten while it has members, who store copies. */
  async keep({ group, life }: { readonly group: string; readonly life: number }): Promise<void> {
    if (life > 0) await this.#count(group);
  }

  async #count(group: string): Promise<number> {
    const { pool, names } = this.#parts;
    const queue = names.removed(group);
    const declare = pool.use((channel) => channel.call(`Declaring the queue ${queue}`, (raw) => raw.assertQueue(queue, { durable: true, arguments: removedArguments }))); // biome-ignore format: one request
    return (await declare).messageCount;
  }
}
