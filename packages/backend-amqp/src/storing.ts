/**
 * Stores copies in a group's inbox, on the ladder or in its dead letters: mandatory and confirmed, so that whoever acks the original afterwards knows
 * that somebody holds the copy.
 */
import type { Clock, WireMessage } from "@halyard/core/spi";
import type { ConsumeMessage, Options } from "amqplib";
import type { Declare } from "./declare.ts";
import type { Declaration } from "./declared.ts";
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
  /** Why the broker takes no publishes now. */
  readonly blocked: () => string | undefined;
}

/** Whose copies they are: a copy that waits comes back to this life of the group, and to no later one. */
export interface CopySource {
  readonly group: string;
  readonly life: number;
}

export class Storing {
  readonly #parts: StoringParts;

  constructor(parts: StoringParts) {
    this.#parts = parts;
  }

  /** Says which copies are stored for certain. Never rejects: what went wrong is not stored, or nobody knows. */
  async store(from: CopySource, copies: readonly Copy[]): Promise<readonly boolean[]> {
    const { publisher, blocked } = this.#parts;
    const none = copies.map(() => false);
    if (blocked() !== undefined) return none;
    try {
      const publications = copies.map((copy) => this.#publication(from, copy));
      const declarations = await this.#prepare(from.group, copies);
      const failures = await (await publisher.line()).publish(publications);
      if (failures === undefined) return copies.map(() => true);
      const returned = new Set([...failures].flatMap(([position, failure]) => (failure === "returned" ? [this.#queueOf(from.group, copies[position])] : [])));
      for (const queue of returned) if (queue !== undefined) await this.#parts.declare.gone(queue, declarations.get(queue));
      return copies.map((_, position) => !failures.has(position));
    } catch {
      return none; // the caller keeps the originals and tries again, or the session has ended and tells by itself
    }
  }

  /** Into the group's queue now. */
  direct(group: string, message: WireMessage): Publication {
    return this.#publication({ group, life: 0 }, { to: "inbox", message, delayMs: 0, original: undefined });
  }

  #publication({ group, life }: CopySource, { to, message, delayMs, original }: Copy): Publication {
    const { names, clock } = this.#parts;
    const body = toBuffer(message.body);
    if (to === "dead-letters") return { exchange: "", routingKey: names.dead(group), body, options: this.#options(message, original, undefined) };
    if (delayMs <= 0) return { exchange: "", routingKey: names.group(group), body, options: this.#options(message, original, undefined) };
    const { classMs, restMs } = passFor(delayMs);
    const dueMs = restMs > 0 ? Math.ceil(clock.nowMs() + delayMs) : undefined;
    return { exchange: names.wait, routingKey: waitKey(classMs, group, life), body, options: this.#options(message, original, dueMs) };
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

  async #prepare(group: string, copies: readonly Copy[]): Promise<ReadonlyMap<string, Declaration | undefined>> {
    const { declare, names } = this.#parts;
    const declarations = new Map<string, Declaration | undefined>();
    const classes = new Set<number>();
    let hasLetters = false;
    for (const { to, delayMs } of copies) {
      if (to === "dead-letters") hasLetters = true;
      else if (delayMs > 0) classes.add(passFor(delayMs).classMs);
    }
    if (hasLetters) {
      await declare.dead(group);
      declarations.set(names.dead(group), declare.current(names.dead(group)));
    }
    for (const classMs of classes) {
      await declare.wait(classMs);
      declarations.set(names.waitQueue(classMs), declare.current(names.waitQueue(classMs)));
    }
    return declarations;
  }

  /** Where the broker found no place for a copy. The group's own queue is watched by its consumers. */
  #queueOf(group: string, copy: Copy | undefined): string | undefined {
    const { names } = this.#parts;
    if (copy === undefined) return undefined;
    if (copy.to === "dead-letters") return names.dead(group);
    return copy.delayMs > 0 ? names.waitQueue(passFor(copy.delayMs).classMs) : undefined;
  }
}
