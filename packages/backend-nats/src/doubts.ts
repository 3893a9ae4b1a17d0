/**
 * Messages that may be surplus of a wide filter, or of a topic that the group took up later. Nothing is dropped by a definition that may be old: it is read
 * again first, and they wait here meanwhile.
 */
import type { Feed } from "./intake.ts";

export interface DoubtsParts<Item> {
  /** Reads the group's definition again; the feeds know it when this resolves. */
  reload(): Promise<void>;
  onOurs(item: Item): void;
  /** Nobody of the group wants it. */
  onSurplus(item: Item): void;
  /** The definition cannot be read now. */
  onUnknown(item: Item): void;
  /** Some were decided. */
  onDecided(): void;
}

interface Doubt<Item> {
  readonly item: Item;
  readonly topic: string;
  readonly feed: Feed;
  readonly sequence: number;
}

export class Doubts<Item> {
  readonly #parts: DoubtsParts<Item>;
  #waiting: Doubt<Item>[] = [];
  #isReading = false;

  constructor(parts: DoubtsParts<Item>) {
    this.#parts = parts;
  }

  add(item: Item, topic: string, feed: Feed, sequence: number): void {
    this.#waiting.push({ item, topic, feed, sequence });
    if (this.#isReading) return;
    this.#isReading = true;
    void this.#parts.reload().then(
      () => {
        this.#isReading = false;
        this.decide();
      },
      () => {
        this.#isReading = false;
        for (const { item } of this.#waiting.splice(0)) this.#parts.onUnknown(item);
      },
    );
  }

  /** The definition has changed, or was read again. */
  decide(): void {
    if (this.#isReading || this.#waiting.length === 0) return;
    for (const { item, topic, feed, sequence } of this.#waiting.splice(0)) {
      if (feed.check === undefined || feed.check(topic, sequence)) this.#parts.onOurs(item);
      else this.#parts.onSurplus(item);
    }
    this.#parts.onDecided();
  }

  clear(): void {
    this.#waiting = [];
  }
}
