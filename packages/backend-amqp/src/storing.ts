/**
 * Stores copies in a group's inbox, on the ladder or in its dead letters: mandatory and confirmed, so that whoever acks the original afterwards knows
 * that somebody holds the copy.
 */
import type { Clock, WireMessage } from "@halyard/core/spi";
import type { ConsumeMessage, Options } from "amqplib";
import type { Declare } from "./declare.ts";
import { passFor } from "./delay-classes.ts";
import type { Copy } from "./group-subscription.ts";
import type { NamespaceNames } from "./names.ts";
import type { Publication, Publisher } from "./publisher.ts";
import { waitKey } from "./topology.ts";
import { type Extra, isGuessedId, toBuffer, toOptions, type WriteOptions } from "./wire.ts";

export interface StoringParts {
  readonly publisher: Publisher;
  readonly declare: Declare;
  readonly names: NamespaceNames;
  readonly clock: Clock;
  readonly random: () => number;
  readonly write: WriteOptions;
  readonly isBlocked: () => boolean;
}

export class Storing {
  readonly #parts: StoringParts;

  constructor(parts: StoringParts) {
    this.#parts = parts;
  }

  /** Says which copies are stored for certain. Never rejects: what went wrong is not stored, or nobody knows. */
  async store(group: string, copies: readonly Copy[]): Promise<readonly boolean[]> {
    const { publisher, isBlocked } = this.#parts;
    const none = copies.map(() => false);
    if (isBlocked()) return none;
    try {
      const publications = copies.map((copy) => this.#publication(group, copy));
      await this.#prepare(group, copies);
      const failures = await (await publisher.line()).publish(publications);
      if (failures === undefined) return copies.map(() => true);
      for (const [position, failure] of failures) if (failure === "returned") this.#forget(group, copies[position]);
      return copies.map((_, position) => !failures.has(position));
    } catch {
      return none; // the caller keeps the originals and tries again, or the session has ended and tells by itself
    }
  }

  /** Into the group's queue, or the dead letters. */
  direct(group: string, to: Copy["to"], message: WireMessage): Publication {
    return this.#publication(group, { to, message, delayMs: 0, original: undefined });
  }

  #publication(group: string, { to, message, delayMs, original }: Copy): Publication {
    const { names, clock } = this.#parts;
    const body = toBuffer(message.body);
    if (to === "dead-letters") return { exchange: "", routingKey: names.dead(group), body, options: this.#options(message, original, undefined) };
    if (delayMs <= 0) return { exchange: "", routingKey: names.group(group), body, options: this.#options(message, original, undefined) };
    const { classMs, restMs } = passFor(delayMs);
    const dueMs = restMs > 0 ? Math.ceil(clock.nowMs() + delayMs) : undefined;
    return { exchange: names.wait, routingKey: waitKey(classMs, group), body, options: this.#options(message, original, dueMs) };
  }

  #options(message: WireMessage, original: ConsumeMessage | undefined, dueMs: number | undefined): Options.Publish {
    const { write, random } = this.#parts;
    // A guessed id is shared by messages with the same content: copies get one of their own, so that no dead letter is taken for another.
    const isGuessed = original !== undefined && isGuessedId(original);
    const extra: Extra = {
      topic: message.topic,
      ...(dueMs === undefined ? {} : { dueMs }),
      ...(isGuessed ? { id: `${message.id}.${random().toString(36).slice(2, 12)}` } : {}),
    };
    const options = toOptions(message, write, extra);
    options.mandatory = true;
    return options;
  }

  async #prepare(group: string, copies: readonly Copy[]): Promise<void> {
    const { declare } = this.#parts;
    const classes = new Set<number>();
    let hasLetters = false;
    for (const { to, delayMs } of copies) {
      if (to === "dead-letters") hasLetters = true;
      else if (delayMs > 0) classes.add(passFor(delayMs).classMs);
    }
    if (hasLetters) await declare.dead(group);
    for (const classMs of classes) await declare.wait(classMs);
  }

  /** The broker had nowhere to put it: what we believed to be declared was deleted. */
  #forget(group: string, copy: Copy | undefined): void {
    const { declare, names } = this.#parts;
    if (copy === undefined) return;
    declare.forget(copy.to === "dead-letters" ? names.dead(group) : copy.delayMs > 0 ? names.waitQueue(passFor(copy.delayMs).classMs) : undefined);
  }
}
