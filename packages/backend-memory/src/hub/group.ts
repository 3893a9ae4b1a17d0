/**
 * One group: its patterns, what waits for it, and its members. Topic copies and inbox are one queue: a retry comes back between new messages,
 * by priority and arrival, and nobody else sees it.
 */
import type { TopicPattern } from "@halyard/core/spi";
import type { Consumer } from "./consumer.ts";
import type { Entry } from "./entry.ts";
import { PriorityQueue } from "./queue.ts";

const none: readonly Entry[] = Object.freeze([]);

export class Group {
  readonly name: string;
  readonly patterns = new Map<string, TopicPattern>();
  readonly queue = new PriorityQueue();
  /** In the order in which they joined. */
  readonly members: Consumer[] = [];
  /** Members with a pending `receive`. */
  waiting = 0;
  /** Copies in the hub's heap. */
  delayed = 0;
  idleExpiryMs: number | undefined = undefined;
  /** Since when it has had no member; monotonic. */
  idleSinceMs = 0;
  /** Its expiry lies in the hub's heap already: one place there a group, however often members come and go. */
  isExpiryDue = false;
  isRemoved = false;
  /** Something came for a member that waits; handed out at the end of the command, so that a batch is shared out by priority and in turn. */
  isTouched = false;
  /** Members that may have messages: all that did not ask for `exclusive`, and the first of those that did. The others of those wait for its place. */
  readonly #active: Consumer[] = [];
  /** The active one of the members that asked for `exclusive`. */
  #soleActive: Consumer | undefined = undefined;
  #cursor = 0;

  constructor(name: string) {
    this.name = name;
  }

  get inFlight(): number {
    let count = 0;
    for (const member of this.members) count += member.inFlight.length;
    return count;
  }

  join(consumer: Consumer): void {
    this.members.push(consumer);
    if (consumer.isExclusive && this.#soleActive !== undefined) return;
    if (consumer.isExclusive) this.#soleActive = consumer;
    this.#active.push(consumer);
  }

  /** What the member held is back in its place when this returns. */
  leave(consumer: Consumer): void {
    const index = this.members.indexOf(consumer);
    if (index < 0) return;
    this.members.splice(index, 1);
    if (this.#isActive(consumer)) this.#active.splice(this.#active.indexOf(consumer), 1);
    if (consumer === this.#soleActive) this.#passOn();
    consumer.stopWaiting();
    this.putBack([...consumer.inFlight]);
  }

  /** To the member that asked for `exclusive` the longest time ago. */
  #passOn(): void {
    this.#soleActive = this.members.find((member) => member.isExclusive);
    if (this.#soleActive !== undefined) this.#active.push(this.#soleActive);
  }

  /** Back where they were, whatever the order in which they come. */
  putBack(entries: Entry[]): void {
    // Highest first: each then goes straight to the front.
    entries.sort((a, b) => b.sequence - a.sequence);
    for (const entry of entries) {
      entry.holder?.drop(entry);
      this.queue.putBack(entry.again());
    }
  }

  take(consumer: Consumer, max: number, nowMs: number): readonly Entry[] {
    if (this.queue.length === 0 || !this.#isActive(consumer)) return none;
    const count = Math.min(max, consumer.free, this.queue.length);
    if (count <= 0) return none;
    const taken: Entry[] = [];
    for (let index = 0; index < count; index++) {
      const entry = this.queue.shift();
      if (entry === undefined) break;
      consumer.hold(entry, nowMs);
      taken.push(entry);
    }
    return taken;
  }

  /** Hands what waits to the members that wait, one each in turn. */
  dispatch(nowMs: number, ready: Consumer[]): void {
    while (this.waiting > 0 && this.queue.length > 0) {
      const member = this.#nextHungry();
      const entry = member === undefined ? undefined : this.queue.shift();
      if (member === undefined || entry === undefined) return;
      member.hand(entry, nowMs, ready);
    }
  }

  #isActive(consumer: Consumer): boolean {
    return !consumer.isExclusive || consumer === this.#soleActive;
  }

  #nextHungry(): Consumer | undefined {
    const count = this.#active.length;
    for (let step = 0; step < count; step++) {
      this.#cursor = this.#cursor + 1 < count ? this.#cursor + 1 : 0;
      const member = this.#active[this.#cursor];
      if (member?.isHungry) return member;
    }
    return undefined;
  }
}
