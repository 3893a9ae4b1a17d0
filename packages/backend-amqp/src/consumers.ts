/**
 * Credit that can change, made of prefetches that cannot: RabbitMQ fixes the prefetch of a consumer when it begins, and quorum queues refuse one for
 * the whole channel. So a subscription is several consumers on one channel whose prefetches add up to the credit: more credit is one more consumer,
 * less credit cancels all of them, and what they still hold counts against the credit until it is settled. Adding keeps the order, since the queue hands
 * out one message after the other and all consumers share the channel (measured on quorum and classic queues under load). Cancelling does not quite: what
 * is on its way to a cancelled consumer goes back to the queue and comes again. Core takes credit away only from members that pause or meet a suspect.
 *
 * Roads not taken: cancelling and consuming anew with every change leaves what is held outside the new prefetch; one consumer with the largest
 * prefetch would have a hundred messages counted against when a poison message kills its process.
 */
import type { ConsumeMessage } from "amqplib";
import type { GuardedChannel } from "./channel.ts";

/** Beyond, one consumer takes their place as soon as nothing is held. */
const consumersMax = 6;
/** 16 bits on the wire. */
const prefetchMax = 65_535;

export interface Consumer {
  readonly tag: string;
  readonly prefetch: number;
  isActive: boolean;
  /** Handed over and not settled. */
  held: number;
}

export interface ConsumersParts {
  readonly channel: GuardedChannel;
  readonly queue: string;
  /** Makes a tag that no other consumer on the connection has. */
  readonly nextTag: () => string;
  readonly onDelivery: (message: ConsumeMessage, consumer: Consumer) => void;
  /** The broker cancelled a consumer: its queue is gone. */
  readonly onCancel: () => void;
  readonly onError: (error: Error) => void;
}

export class Consumers {
  readonly #parts: ConsumersParts;
  #all: Consumer[] = [];
  #credit = 0;
  #adjusting: Promise<void> | undefined;
  /** Something changed since the loop last looked. */
  #hasChanged = false;
  #isOver = false;

  constructor(parts: ConsumersParts) {
    this.#parts = parts;
  }

  get hasConsumer(): boolean {
    return this.#all.some(({ isActive }) => isActive);
  }

  /** From now on so many are fetched at most. Resolves when the broker knows. */
  set(credit: number): Promise<void> {
    this.#credit = Math.min(credit, prefetchMax);
    return this.#adjust();
  }

  /** One that this consumer had handed over is settled. */
  settled(consumer: Consumer): void {
    consumer.held--;
    if (!consumer.isActive || this.#needsRebuild) void this.#adjust();
  }

  /** The channel is over. */
  end(): void {
    this.#isOver = true;
  }

  /** One change at a time; what is wished meanwhile is seen by the loop. */
  #adjust(): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    this.#hasChanged = true;
    this.#adjusting ??= this.#run();
    return this.#adjusting;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isOver && this.#hasChanged) {
        this.#hasChanged = false;
        if (await this.#step()) this.#hasChanged = true;
      }
    } catch (thrown) {
      this.#isOver = true;
      this.#parts.onError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    } finally {
      this.#adjusting = undefined; // in the same turn as the last look: no wish falls between
    }
  }

  /** Makes one change and says whether to look again. */
  async #step(): Promise<boolean> {
    this.#all = this.#all.filter(({ isActive, held }) => isActive || held > 0);
    const active = this.#all.filter(({ isActive }) => isActive);
    const taken = this.#all.reduce((sum, { isActive, prefetch, held }) => sum + (isActive ? prefetch : held), 0);
    if (active.length > 0 && (taken > this.#credit || this.#needsRebuild)) {
      for (const consumer of active) await this.#cancel(consumer);
      return true;
    }
    if (taken >= this.#credit || active.length >= consumersMax) return false;
    await this.#consume(this.#credit - taken);
    return true;
  }

  get #needsRebuild(): boolean {
    const { length } = this.#all;
    return length >= consumersMax && this.#all.every(({ held }) => held === 0) && this.#all.reduce((sum, { prefetch }) => sum + prefetch, 0) < this.#credit;
  }

  async #consume(prefetch: number): Promise<void> {
    const { channel, queue, nextTag, onDelivery, onCancel } = this.#parts;
    const consumer: Consumer = { tag: nextTag(), prefetch, isActive: true, held: 0 };
    this.#all.push(consumer);
    await channel.call(`Consuming the queue ${queue}`, async (raw) => {
      await raw.prefetch(prefetch);
      await raw.consume(
        queue,
        (message) => {
          if (message === null) {
            consumer.isActive = false;
            onCancel();
            return;
          }
          consumer.held++;
          onDelivery(message, consumer);
        },
        { consumerTag: consumer.tag },
      );
    });
  }

  async #cancel(consumer: Consumer): Promise<void> {
    consumer.isActive = false;
    await this.#parts.channel.call(`Cancelling a consumer of ${this.#parts.queue}`, (raw) => raw.cancel(consumer.tag));
  }
}
