/**
 * Dead letters in a queue of their own. A walk reads them as a consumer that acks only what the visitor wants gone; all it has read stays unacked until
 * the end, and when its channel closes (or its process dies) the broker puts it back where it was.
 *
 * Each fetch is a consumer of its own, named in ascending order and cancelled when its letters are here: RabbitMQ puts back what a closed channel held
 * consumer by consumer in the order of their names, and within one in order (measured on 3.10, up to 32 consumers; `basic.get` counts as a consumer each time,
 * and what it held comes back in any order). Fetches double, so 32 of them hold more than 50,000 letters.
 */
import { type DeadLetters, HalyardError, type Verdict, type WireMessage } from "@halyard/core/spi";
import type { ConsumeMessage } from "amqplib";
import type { ChannelParts, GuardedChannel } from "./channel.ts";
import { openChannel } from "./channel.ts";
import type { Declare } from "./declare.ts";
import { abortedError, isReply, replies } from "./errors.ts";
import type { NamespaceNames } from "./names.ts";
import { noGroup } from "./outgoing.ts";
import type { Publisher } from "./publisher.ts";
import type { Storing } from "./storing.ts";
import { pause, unlessAborted } from "./waiting.ts";
import { fromMessage } from "./wire.ts";

export interface DeadLetterParts {
  readonly channels: ChannelParts;
  readonly declare: Declare;
  readonly names: NamespaceNames;
  readonly publisher: Publisher;
  readonly storing: Storing;
  readonly ended: Promise<Error | undefined>;
  readonly lost: () => HalyardError | undefined;
}

/** Most letters that one fetch holds in this process. */
const fetchMax = 2_000;
/** How often the queue is asked whether it has more, while a fetch is not full. */
const pollMs = 5;
/** How long the broker may take to put back what a walk held. */
const returnMsMax = 2_000;

export class DeadLetterQueues implements DeadLetters {
  readonly #parts: DeadLetterParts;
  /** Letters that walks of this session hold, by group: the broker's count leaves them out. */
  readonly #walks = new Map<string, Walk>();

  constructor(parts: DeadLetterParts) {
    this.#parts = parts;
  }

  async count(group: string): Promise<number> {
    this.#assertAlive();
    const { declare, names } = this.#parts;
    const found = await declare.look(names.dead(group));
    return (found?.messageCount ?? 0) + (this.#walks.get(group)?.held ?? 0);
  }

  async purge(group: string): Promise<number> {
    this.#assertAlive();
    const { declare, names } = this.#parts;
    return (await declare.purge(names.dead(group))) ?? 0;
  }

  async walk(
    group: string,
    { pageMax, signal }: { readonly pageMax: number; readonly signal: AbortSignal },
    visit: (page: readonly WireMessage[]) => Promise<readonly Verdict[] | "stop">,
  ): Promise<void> {
    this.#assertAlive();
    if (this.#walks.has(group)) throw busy(group);
    const { channels, declare, names, ended, lost } = this.#parts;
    const walk = new Walk(this.#parts, group, pageMax);
    this.#walks.set(group, walk);
    const over = new AbortController();
    const onAbort = (): void => over.abort();
    void ended.then(onAbort);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    const reason = (): Error => lost() ?? abortedError(`The walk over the dead letters of ${group}`);
    const lockQueue = names.walk(group);
    let lock: GuardedChannel | undefined;
    try {
      lock = await openChannel(channels);
      await takeLock(lock, lockQueue, group);
      const count = (await declare.look(names.dead(group)))?.messageCount ?? 0;
      if (count > 0) await walk.run(count, over.signal, reason, visit);
    } finally {
      signal.removeEventListener("abort", onAbort);
      await walk.end();
      this.#walks.delete(group);
      await lock?.call(`Deleting the queue ${lockQueue}`, (raw) => raw.deleteQueue(lockQueue)).catch(() => undefined); // it goes with its connection
      await lock?.close();
    }
  }

  #assertAlive(): void {
    const error = this.#parts.lost();
    if (error !== undefined) throw error;
  }
}

/** An exclusive queue: nobody else can declare it, and it goes with the connection that holds it. */
async function takeLock(channel: GuardedChannel, queue: string, group: string): Promise<void> {
  try {
    await channel.call(`Declaring the queue ${queue}`, (raw) =>
      raw.assertQueue(queue, { durable: false, exclusive: true, arguments: { "x-queue-type": "classic" } }),
    );
  } catch (error) {
    if (error instanceof Error && isReply(error.cause, replies.resourceLocked)) throw busy(group);
    throw error;
  }
}

class Walk {
  readonly #parts: DeadLetterParts;
  readonly #group: string;
  readonly #queue: string;
  readonly #pageMax: number;
  #channel: GuardedChannel | undefined;
  #fetches = 0;
  /** Unacked now. */
  held = 0;

  constructor(parts: DeadLetterParts, group: string, pageMax: number) {
    this.#parts = parts;
    this.#group = group;
    this.#queue = parts.names.dead(group);
    this.#pageMax = Math.max(1, pageMax);
  }

  async run(
    count: number,
    signal: AbortSignal,
    reason: () => Error,
    visit: (page: readonly WireMessage[]) => Promise<readonly Verdict[] | "stop">,
  ): Promise<void> {
    const { channels } = this.#parts;
    const channel = await openChannel(channels);
    this.#channel = channel;
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
        await unlessAborted(signal, reason, this.#obey(channel, page, verdicts));
      }
    }
  }

  /** Gives back what is left, and waits until the broker has it: whoever counts next shall find it. */
  async end(): Promise<void> {
    const { channels, declare, lost } = this.#parts;
    const { held } = this;
    await this.#channel?.close();
    this.held = 0;
    if (held === 0) return;
    const untilMs = channels.clock.monotonicMs() + returnMsMax;
    while (lost() === undefined && channels.clock.monotonicMs() < untilMs) {
      const found = await declare.look(this.#queue).catch(() => undefined);
      if (found === undefined || found.messageCount >= held) return;
      await pause(channels.clock, pollMs);
    }
  }

  /** At most `wanted` letters; fewer only where the queue has no more. */
  async #fetch(channel: GuardedChannel, wanted: number): Promise<readonly ConsumeMessage[]> {
    const { channels, declare } = this.#parts;
    const letters: ConsumeMessage[] = [];
    let wake: () => void = () => undefined;
    const tag = `walk-${String(++this.#fetches).padStart(6, "0")}`;
    await channel.call(`Consuming the queue ${this.#queue}`, async (raw) => {
      await raw.prefetch(wanted);
      await raw.consume(
        this.#queue,
        (letter) => {
          if (letter === null) return;
          letters.push(letter);
          this.held++;
          if (letters.length >= wanted) wake();
        },
        { consumerTag: tag },
      );
    });
    while (letters.length < wanted && channel.isOpen) {
      await Promise.race([pause(channels.clock, pollMs), new Promise<void>((resolve) => { wake = resolve; })]); // biome-ignore format: one thought
      if (letters.length >= wanted) break;
      const found = await declare.look(this.#queue);
      if (found === undefined || found.messageCount === 0) break;
    }
    // What the broker had handed over before it answers is here afterwards.
    await channel.call(`Cancelling a consumer of ${this.#queue}`, (raw) => raw.cancel(tag));
    return letters;
  }

  async #obey(channel: GuardedChannel, page: readonly ConsumeMessage[], verdicts: readonly Verdict[]): Promise<void> {
    const redrives = page.flatMap((letter, index) => {
      const verdict = verdicts[index] ?? "keep";
      return typeof verdict === "object" ? [{ letter, message: verdict.redrive }] : [];
    });
    const removed = page.filter((_, index) => verdicts[index] === "remove");
    await this.#redrive(channel, redrives);
    for (const letter of removed) this.#ack(channel, letter);
  }

  /** Into the group's inbox first, confirmed; then the letters go. */
  async #redrive(channel: GuardedChannel, redrives: readonly { readonly letter: ConsumeMessage; readonly message: WireMessage }[]): Promise<void> {
    if (redrives.length === 0) return;
    const { publisher, storing } = this.#parts;
    const failures = await (await publisher.line()).publish(redrives.map(({ message }) => storing.direct(this.#group, "inbox", message)));
    for (const [position, { letter }] of redrives.entries()) if (failures?.has(position) !== true) this.#ack(channel, letter);
    if (failures === undefined) return;
    const [failure] = failures.values();
    throw failure === "returned"
      ? noGroup(this.#group)
      : new HalyardError("BACKPRESSURE", `RabbitMQ did not take all redriven messages of ${this.#group}; their letters are kept.`);
  }

  #ack(channel: GuardedChannel, letter: ConsumeMessage): void {
    if (channel.send((raw) => raw.ack(letter))) this.held--;
  }
}

function busy(group: string): HalyardError {
  return new HalyardError("BUSY", `Somebody walks the dead letters of ${group} already: try again later.`, { details: { group } });
}
