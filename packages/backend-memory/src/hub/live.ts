/**
 * One live subscription: its own copy of everything published while it is there, in a buffer of its own. A slow one never holds up anybody:
 * when its buffer is full the oldest copy goes, counted, and the driver reports the gap.
 */
import type { TopicPattern } from "@halyard/core/spi";
import type { Consumer } from "./consumer.ts";
import { Entry } from "./entry.ts";
import { Ring } from "./ring.ts";

const none: readonly Entry[] = Object.freeze([]);
const sequenceOf = (entry: Entry): number => entry.sequence;

export class Live {
  readonly patterns: readonly TopicPattern[];
  readonly bufferMax: number;
  readonly buffer = new Ring<Entry>();
  /** Members with a pending `receive`: 0 or 1. */
  waiting = 0;
  /** Not yet reported. */
  dropped = 0;
  /** Who reads it; set once, right after both are made. */
  consumer: Consumer | undefined = undefined;
  #sequence = 0;

  constructor(patterns: readonly TopicPattern[], bufferMax: number) {
    this.patterns = patterns;
    this.bufferMax = bufferMax;
  }

  /** True when something was dropped for the first time since the last report. */
  add(message: Entry["message"]): boolean {
    const entry = new Entry(message, undefined, 0, 0);
    entry.sequence = this.#sequence++;
    this.buffer.push(entry);
    return this.#trim();
  }

  /** As `add`, for copies that were handed out and not tried. */
  putBack(entry: Entry): boolean {
    entry.holder?.drop(entry);
    this.buffer.insert(entry.again(), sequenceOf);
    return this.#trim();
  }

  take(consumer: Consumer, max: number, nowMs: number): readonly Entry[] {
    const count = Math.min(max, consumer.free, this.buffer.length);
    if (count <= 0) return none;
    const taken: Entry[] = [];
    for (let index = 0; index < count; index++) {
      const entry = this.buffer.shift();
      if (entry === undefined) break;
      consumer.hold(entry, nowMs);
      taken.push(entry);
    }
    return taken;
  }

  dispatch(nowMs: number, ready: Consumer[]): void {
    const consumer = this.consumer;
    while (this.buffer.length > 0 && consumer?.isHungry) {
      const entry = this.buffer.shift();
      if (entry === undefined) return;
      consumer.hand(entry, nowMs, ready);
    }
  }

  takeDropped(): number {
    const dropped = this.dropped;
    this.dropped = 0;
    return dropped;
  }

  #trim(): boolean {
    if (this.buffer.length <= this.bufferMax) return false;
    this.buffer.shift();
    return ++this.dropped === 1;
  }
}
