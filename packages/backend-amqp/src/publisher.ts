/**
 * Publishing with confirms on a channel of its own. A batch is written in one go and ends when the broker has answered for each of its messages, when
 * the deadline has passed (a broker without a leader may confirm nothing for minutes, and then confirms what is published anew), or when the channel
 * is gone. A channel that fails is replaced by the next one that publishes.
 */
import type { Clock } from "@halyard/core/spi";
import type { ConfirmChannel, Options } from "amqplib";
import { type ChannelParts, type GuardedChannel, openConfirmChannel } from "./channel.ts";
import { type Batch, Confirms, type Failure, type Failures } from "./confirms.ts";
import { isReply, replies } from "./errors.ts";

/** One message to be written. */
export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly options: Options.Publish;
}

export interface PublisherParts extends ChannelParts {
  /** Declares what is published to; called before the first message on each channel. */
  readonly prepare: () => Promise<void>;
  /** An exchange that was published to does not exist any more: the broker closed the channel. */
  readonly onMissing: (error: Error) => void;
}

/** What became of a batch: `undefined`, all stored; else by position. */
export type Outcome = Failures | undefined;

/**
 * A channel whose first message to a quorum queue met a queue without a leader is refused for ever, also when there is a leader again; a new channel is
 * not (measured on a 3.10.8 cluster, also with bare amqplib). A queue that is full refuses as well, and is then asked on a new channel that often.
 */
const stuckMs = 2_000;
/** How often deadlines are looked at; only while something is unanswered. */
const tickMs = 500;

export class Publisher {
  readonly #parts: PublisherParts;
  readonly #clock: Clock;
  #line: Line | undefined;
  #opening: Promise<Line> | undefined;
  #lines = 0;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#clock = parts.clock;
  }

  /** The channel to publish on; opened where there is none. Rejects where none can be had. */
  async line(): Promise<Line> {
    const { current } = this;
    if (current !== undefined) return current;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** As `line`, without waiting. */
  get current(): Line | undefined {
    if (this.#line?.isStuck === true) {
      void this.#line.channel.close();
      this.#line = undefined;
    }
    return this.#line?.isOpen === true ? this.#line : undefined;
  }

  async close(): Promise<void> {
    await this.#line?.channel.close();
  }

  async #open(): Promise<Line> {
    if (this.#lines++ > 0 || this.#line === undefined) await this.#parts.prepare();
    this.#line = new Line(await openConfirmChannel(this.#parts), this.#clock, this.#parts.requestTimeoutMs, (error) => {
      if (isReply(error, replies.notFound)) this.#parts.onMissing(error);
    });
    return this.#line;
  }
}

export class Line {
  readonly channel: GuardedChannel<ConfirmChannel>;
  readonly #confirms = new Confirms();
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #cancelTick: (() => void) | undefined;
  /** What was written since the last `commit`. */
  #written = 0;
  /** Since when the broker has confirmed nothing and refused something. */
  #refusingSinceMs: number | undefined;

  constructor(channel: GuardedChannel<ConfirmChannel>, clock: Clock, timeoutMs: number, onError: (error: Error) => void) {
    this.channel = channel;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    const { raw } = channel;
    raw.on("ack", ({ deliveryTag, multiple }) => {
      this.#refusingSinceMs = undefined;
      this.#confirms.answer(deliveryTag, multiple, false);
    });
    raw.on("nack", ({ deliveryTag, multiple }) => {
      this.#refusingSinceMs ??= clock.monotonicMs();
      this.#confirms.answer(deliveryTag, multiple, true);
    });
    raw.on("return", ({ properties }) => this.#confirms.returned(properties.messageId));
    channel.onEnd((error) => {
      this.#cancelTick?.();
      this.#confirms.expire(Number.POSITIVE_INFINITY);
      if (error !== undefined) onError(error);
    });
  }

  get isOpen(): boolean {
    return this.channel.isOpen;
  }

  /** Nothing but refusals for a while, and nothing on its way: a new channel may fare better, see `stuckMs`. */
  get isStuck(): boolean {
    const sinceMs = this.#refusingSinceMs;
    return sinceMs !== undefined && this.#confirms.isIdle && this.#clock.monotonicMs() - sinceMs >= stuckMs;
  }

  /** Writes one message. @throws what amqplib throws where it cannot be encoded; nothing is written then */
  write(exchange: string, routingKey: string, body: Buffer, options: Options.Publish): void {
    this.channel.raw.publish(exchange, routingKey, body, options);
    this.channel.gather();
    this.#written++;
  }

  /** Ends a batch: everything written since the last one. `ids` where the messages are mandatory. `signal`: unanswered ones are unknown when it aborts. */
  commit(ids?: readonly string[]): { readonly batch: Batch; readonly done: Promise<Outcome> } {
    const batch = this.#confirms.add(this.#written, ids, this.#clock.monotonicMs());
    this.#written = 0;
    this.#cancelTick ??= this.#clock.after(tickMs, this.#tick);
    const done = new Promise<Outcome>((resolve) => {
      batch.done = resolve;
    });
    if (batch.count === 0 || !this.isOpen) this.#confirms.giveUp(batch);
    return { batch, done };
  }

  /** Nobody waits for the rest of this batch any more. */
  giveUp(batch: Batch): void {
    this.#confirms.giveUp(batch);
  }

  /** Writes mandatory messages and commits. What cannot be encoded fails as if the broker had refused it. */
  async publish(publications: readonly Publication[]): Promise<Outcome> {
    const ids: string[] = [];
    const positions: number[] = [];
    const failures = new Map<number, Failure>();
    for (const [position, { exchange, routingKey, body, options }] of publications.entries()) {
      try {
        this.write(exchange, routingKey, body, options);
      } catch {
        failures.set(position, "nacked");
        continue;
      }
      ids.push(options.messageId ?? "");
      positions.push(position);
    }
    for (const [index, failure] of (await this.commit(ids).done) ?? []) failures.set(positions[index] as number, failure); // one position for each that was written
    return failures.size === 0 ? undefined : failures;
  }

  readonly #tick = (): void => {
    this.#cancelTick = undefined;
    this.#confirms.expire(this.#clock.monotonicMs() - this.#timeoutMs);
    if (!this.#confirms.isIdle && this.isOpen) this.#cancelTick = this.#clock.after(tickMs, this.#tick);
  };
}
