/**
 * The last messages published in a namespace, whoever got them: two rings side by side, messages and their sizes. Positions count up by one from
 * the first publish, so a position is found by subtraction.
 */
import type { StoredMessage, TopicPattern, WireMessage } from "@halyard/core/spi";
import { Ring } from "./ring.ts";

export interface HistoryLimits {
  readonly messagesMax: number;
  readonly bytesMax: number;
}

export class HistoryRing {
  readonly #limits: HistoryLimits;
  readonly #messages = new Ring<WireMessage>();
  readonly #sizes = new Ring<number>();
  #bytes = 0;
  #firstPosition = 1;

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#messages.length;
  }

  /** Of the message stored last. */
  get lastPosition(): number {
    return this.#firstPosition + this.#messages.length - 1;
  }

  append(message: WireMessage, bytes: number): void {
    this.#messages.push(message);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    while (this.#messages.length > this.#limits.messagesMax || this.#bytes > this.#limits.bytesMax) {
      this.#messages.shift();
      this.#bytes -= this.#sizes.shift() ?? 0;
      this.#firstPosition++;
    }
  }

  /** Up to `limit` matching messages after a position, oldest first. What the ring has dropped is skipped. */
  read(patterns: readonly TopicPattern[], afterPosition: number, limit: number): { messages: StoredMessage[]; end: boolean } {
    const messages: StoredMessage[] = [];
    let index = Math.max(0, afterPosition + 1 - this.#firstPosition);
    for (; index < this.#messages.length && messages.length < limit; index++) {
      const message = this.#messages.at(index);
      if (message !== undefined && patterns.some((pattern) => pattern.matches(message.topic))) messages.push(this.#stored(message, index));
    }
    return { messages, end: index >= this.#messages.length };
  }

  /** The position before the first message published at that time or later, by the publishers' clocks. */
  positionBefore(timeMs: number): number {
    let index = 0;
    while (index < this.#messages.length && (this.#messages.at(index)?.timeMs ?? 0) < timeMs) index++;
    return this.#firstPosition + index - 1;
  }

  /** The youngest of that id, and of that topic where one is given. */
  find(id: string, topic?: string): StoredMessage | undefined {
    for (let index = this.#messages.length - 1; index >= 0; index--) {
      const message = this.#messages.at(index);
      if (message?.id === id && (topic === undefined || message.topic === topic)) return this.#stored(message, index);
    }
    return undefined;
  }

  countsByTopic(): { topic: string; stored: number }[] {
    const counts = new Map<string, number>();
    for (let index = 0; index < this.#messages.length; index++) {
      const topic = this.#messages.at(index)?.topic;
      if (topic !== undefined) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    }
    return [...counts].map(([topic, stored]) => ({ topic, stored }));
  }

  #stored(message: WireMessage, index: number): StoredMessage {
    return { message, position: String(this.#firstPosition + index) };
  }
}
