/**
 * One walk over the dead letters of a group: a consumer that acks only what the visitor wants gone. All it has read stays unacked until the end, and when
 * its channel closes (or its process dies) the broker puts it back where it was.
 *
 * Each fetch is a consumer of its own, named in ascending order and cancelled when its letters are here: RabbitMQ puts back what a closed channel held
 * consumer by consumer in the order of their names, and within one in order (measured on 3.10, up to 32 consumers; `basic.get` counts as a consumer each time,
 * and what it held comes back in any order). Fetches double, so 32 of them hold more than 50,000 letters.
 */
import { HalyardError, sleep, unlessAborted, type Verdict, type WireMessage } from "@halyard/core/spi";
import type { ConsumeMessage } from "amqplib";
import type { ChannelParts, GuardedChannel } from "./channel.ts";
import { openChannel } from "./channel.ts";
import type { Declare } from "./declare.ts";
import type { NamespaceNames } from "./names.ts";
import { noGroup } from "./outgoing.ts";
import { Pipeline } from "./pipeline.ts";
import type { Publisher } from "./publisher.ts";
import type { Storing } from "./storing.ts";
import type { WalkRecord } from "./walk-record.ts";
import { fromMessage } from "./wire.ts";

export interface WalkParts {
  readonly channels: ChannelParts;
  readonly declare: Declare;
  readonly names: NamespaceNames;
  readonly publisher: Publisher;
  readonly storing: Storing;
  readonly lost: () => HalyardError | undefined;
}

type Visit = (page: readonly WireMessage[]) => Promise<readonly Verdict[] | "stop">;

/** Most letters that one fetch holds in this process. */
const fetchMax = 2_000;
/** How often the queue is asked whether it has more, while a fetch is not full. */
const pollMs = 5;
/** How long the broker may take to put back what a walk held. */
const returnMsMax = 2_000;

export class Walk {
  readonly #parts: WalkParts;
  readonly #group: string;
  readonly #queue: string;
  readonly #pageMax: number;
  readonly #record: WalkRecord;
  #channel: GuardedChannel | undefined;
  #pipeline: Pipeline | undefined;
  #fetches = 0;
  /** Letters that are unacked now. */
  held = 0;

  constructor(parts: WalkParts, group: string, pageMax: number, record: WalkRecord) {
    this.#parts = parts;
    this.#group = group;
    this.#queue = parts.names.dead(group);
    this.#pageMax = Math.max(1, pageMax);
    this.#record = record;
  }

  async run(signal: AbortSignal, reason: () => Error, visit: Visit): Promise<void> {
    const { channels, declare } = this.#parts;
    const before = await unlessAborted(signal, reason, this.#record.begin());
    if (before > 0) await this.#waitFor(before);
    const count = (await declare.look(this.#queue))?.messageCount ?? 0;
    if (count === 0) return;
    const channel = await openChannel(channels);
    this.#channel = channel;
    this.#pipeline = new Pipeline(channel, this.#queue, channels.clock);
    for (let rest = count; rest > 0; ) {
      const letters = await unlessAborted(signal, reason, this.#fetch(channel, Math.min(rest, fetchMax, Math.max(this.#pageMax, this.held))));
      if (letters.length === 0) return;
      rest -= letters.length;
      for (let from = 0; from < letters.length; from += this.#pageMax) {
        const page = letters.slice(from, from + this.#pageMax);
        const messages = page.map((letter) => fromMessage(letter, () => channels.clock.nowMs()));
        if (signal.aborted) throw reason();
        const verdicts = await unlessAborted(signal, reason, visit(messages));
        if (verdicts === "stop") return;
        await unlessAborted(signal, reason, this.#obey(page, verdicts));
      }
    }
  }

  /** Gives back what is left, and waits until the broker has it: whoever counts next shall find it. */
  async end(): Promise<void> {
    const held = this.held + ((await this.#pipeline?.flush()) ?? 0);
    await this.#channel?.close();
    if (held > 0) await this.#waitFor(held);
    this.held = 0;
  }

  /** Until so many letters are in the queue; what a dead walk wrote down may be too many, so not for ever. */
  async #waitFor(count: number): Promise<void> {
    const { channels, declare, lost } = this.#parts;
    const untilMs = channels.clock.monotonicMs() + returnMsMax;
    while (lost() === undefined && channels.clock.monotonicMs() < untilMs) {
      const found = await declare.look(this.#queue).catch(() => undefined);
      if (found === undefined || found.messageCount >= count) return;
      await sleep(channels.clock, pollMs);
    }
  }

  /** At most `wanted` letters; fewer only where the queue has no more. */
  async #fetch(channel: GuardedChannel, wanted: number): Promise<readonly ConsumeMessage[]> {
    const { channels, declare } = this.#parts;
    const letters: ConsumeMessage[] = [];
    let wake: () => void = () => undefined;
    const tag = `walk-${String(++this.#fetches).padStart(6, "0")}`;
    await this.#record.write(this.held + wanted);
    await channel.call(`Consuming the queue ${this.#queue}`, async (raw) => {
      await raw.prefetch(wanted);
      await raw.consume(
        this.#queue,
        (letter) => {
          if (letter === null) return; // the queue is gone: the next look sees it, and reports it
          letters.push(letter);
          this.held++;
          if (letters.length >= wanted) wake();
        },
        { consumerTag: tag },
      );
    });
    while (letters.length < wanted && channel.isOpen) {
      const filled = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await Promise.race([sleep(channels.clock, pollMs), filled]);
      if (letters.length >= wanted) break;
      const found = await declare.look(this.#queue);
      if (found === undefined || found.messageCount === 0) break;
    }
    // What the broker had handed over before it answers is here afterwards.
    await channel.call(`Cancelling a consumer of ${this.#queue}`, (raw) => raw.cancel(tag));
    if (letters.length < wanted) await this.#record.write(this.held);
    return letters;
  }

  async #obey(page: readonly ConsumeMessage[], verdicts: readonly Verdict[]): Promise<void> {
    const redrives = page.flatMap((letter, index) => {
      const verdict = verdicts[index] ?? "keep";
      return typeof verdict === "object" ? [{ letter, message: verdict.redrive }] : [];
    });
    const removed = page.filter((_, index) => verdicts[index] === "remove");
    if (redrives.length + removed.length === 0) return;
    this.#channel?.assertOpen(); // its letters are back in the queue: a copy now would be one too many
    await this.#redrive(redrives);
    for (const letter of removed) this.#ack(letter);
    this.#channel?.assertOpen();
    await this.#record.write(this.held);
  }

  /** Into the group's inbox first, confirmed; then the letters go. */
  async #redrive(redrives: readonly { readonly letter: ConsumeMessage; readonly message: WireMessage }[]): Promise<void> {
    if (redrives.length === 0) return;
    const { publisher, storing } = this.#parts;
    const failures = await (await publisher.line()).publish(redrives.map(({ message }) => storing.direct(this.#group, message)));
    for (const [position, { letter }] of redrives.entries()) if (failures?.has(position) !== true) this.#ack(letter);
    if (failures === undefined) return;
    const [failure] = failures.values();
    throw failure === "returned"
      ? noGroup(this.#group)
      : new HalyardError("BACKPRESSURE", `RabbitMQ did not take all redriven messages of ${this.#group}; their letters are kept.`);
  }

  #ack(letter: ConsumeMessage): void {
    if (this.#pipeline?.send((raw) => raw.ack(letter)) === true) this.held--;
  }
}
