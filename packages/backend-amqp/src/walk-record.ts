/**
 * What others must know of a walk over dead letters: that it goes on, and how many letters it holds, since the broker counts those for nobody.
 *
 * That it goes on says an exclusive queue, which nobody else can declare and which goes with the walker's connection. How many it holds says the only
 * message of another queue. That one outlives a walker that dies, so the next one knows that letters are on their way back, and how many.
 */
import { HalyardError } from "@halyard/core/spi";
import type { ChannelPool, GuardedChannel } from "./channel.ts";
import { type ChannelParts, openChannel } from "./channel.ts";
import type { Declare } from "./declare.ts";
import { isReply, replies } from "./errors.ts";
import type { NamespaceNames } from "./names.ts";
import type { Publisher } from "./publisher.ts";
import { heldArguments } from "./topology.ts";

export interface WalkRecordParts {
  readonly channels: ChannelParts;
  readonly pool: ChannelPool;
  readonly declare: Declare;
  readonly names: NamespaceNames;
  readonly publisher: Publisher;
}

export class WalkRecord {
  readonly #parts: WalkRecordParts;
  readonly #group: string;
  #channel: GuardedChannel | undefined;

  constructor(parts: WalkRecordParts, group: string) {
    this.#parts = parts;
    this.#group = group;
  }

  /** Begins a walk. Returns how many letters an earlier one held when it died. Rejects with `BUSY`. */
  async begin(): Promise<number> {
    const { channels, declare, names } = this.#parts;
    const lock = names.walk(this.#group);
    const held = names.held(this.#group);
    this.#channel = await openChannel(channels);
    try {
      await this.#channel.call(`Declaring the queue ${lock}`, (raw) =>
        raw.assertQueue(lock, { durable: false, exclusive: true, arguments: { "x-queue-type": "classic" } }),
      );
    } catch (error) {
      if (error instanceof Error && isReply(error.cause, replies.resourceLocked)) throw busy(this.#group);
      throw error;
    }
    const before = (await declare.look(held)) === undefined ? 0 : await this.#read();
    await this.#channel.call(`Declaring the queue ${held}`, (raw) => raw.assertQueue(held, { durable: true, arguments: heldArguments }));
    return before;
  }

  /** Says how many the walk holds, or is about to. */
  async write(count: number): Promise<void> {
    const line = await this.#parts.publisher.line();
    const failures = await line.publish([
      {
        exchange: "",
        routingKey: this.#parts.names.held(this.#group),
        body: Buffer.from(String(count)),
        options: { mandatory: true, deliveryMode: 2, messageId: `held-${this.#group}` },
      },
    ]);
    if (failures !== undefined)
      throw new HalyardError("BACKEND_FAILED", "RabbitMQ did not take the note of how many dead letters are being read.", { retryable: true });
  }

  /** How many letters somebody else's walk holds now. */
  async heldElsewhere(): Promise<number> {
    const { declare, names } = this.#parts;
    if ((await declare.look(names.held(this.#group))) === undefined) return 0;
    return (await this.#isWalking()) ? this.#read() : 0;
  }

  /** The walk has ended, and all it held is back. */
  async end(): Promise<void> {
    const { names } = this.#parts;
    const channel = this.#channel;
    if (channel?.isOpen !== true) return; // not begun, or over: the lock went with its connection
    for (const queue of [names.held(this.#group), names.walk(this.#group)]) await channel.call(`Deleting the queue ${queue}`, (raw) => raw.deleteQueue(queue));
    await channel.close();
  }

  /** Whether a walker's lock exists: another connection is told that it is locked, not that it is missing. */
  async #isWalking(): Promise<boolean> {
    const lock = this.#parts.names.walk(this.#group);
    try {
      return (await this.#parts.declare.look(lock)) !== undefined;
    } catch (error) {
      if (error instanceof Error && isReply(error.cause, replies.resourceLocked)) return true;
      throw error;
    }
  }

  /** Looks at the note and puts it back: where a newer one came meanwhile, the queue has room for one and drops the older. */
  async #read(): Promise<number> {
    const { pool, names } = this.#parts;
    const queue = names.held(this.#group);
    return pool.use(async (channel) => {
      const note = await channel.call(`Looking into the queue ${queue}`, (raw) => raw.get(queue));
      if (note === false) return 0;
      channel.send((raw) => raw.nack(note, false, true));
      const count = Number(note.content.toString());
      return Number.isSafeInteger(count) && count > 0 ? count : 0;
    });
  }
}

export function busy(group: string): HalyardError {
  return new HalyardError("BUSY", `Somebody walks the dead letters of ${group} already: try again later.`, { details: { group } });
}
