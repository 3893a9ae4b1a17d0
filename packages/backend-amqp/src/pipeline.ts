/**
 * Acks on their way. A channel of RabbitMQ hands them to a quorum queue as commands, of which 32 may be unanswered; what follows it keeps back until the
 * queue has answered, and when the channel closes in that moment they are lost (measured on 3.10: forty messages given back and eight acked right before
 * the close, and the eight came again). So after a burst a channel asks the queue for something before it closes: the answer comes after all of that.
 */
import type { Channel } from "amqplib";
import type { GuardedChannel } from "./channel.ts";

/** Half of what the broker takes without waiting (`quorum_commands_soft_limit`, 32). */
const burstMax = 16;
/** What was sent before so long a pause has arrived. */
const pauseMs = 1_000;

export class Pipeline {
  readonly #channel: GuardedChannel;
  readonly #queue: string;
  readonly #clock: { monotonicMs(): number };
  #sent = 0;
  #lastMs = 0;

  constructor(channel: GuardedChannel, queue: string, clock: { monotonicMs(): number }) {
    this.#channel = channel;
    this.#queue = queue;
    this.#clock = clock;
  }

  /** False: the channel is over. */
  send(run: (raw: Channel) => void): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lastMs > pauseMs) this.#sent = 0;
    this.#sent++;
    this.#lastMs = nowMs;
    return this.#channel.send(run);
  }

  /** Returns how many messages the asking has taken (0 or 1): they go back with the channel. */
  async flush(): Promise<number> {
    if (this.#sent <= burstMax || !this.#channel.isOpen || this.#clock.monotonicMs() - this.#lastMs > pauseMs) return 0;
    try {
      return (await this.#channel.call(`Looking into the queue ${this.#queue}`, (raw) => raw.get(this.#queue))) === false ? 0 : 1;
    } catch {
      return 0; // the channel is over, and what was not settled comes back
    }
  }
}
