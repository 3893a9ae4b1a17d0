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
  /** In the order in which they joined; of an exclusive group only the first is active. */
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
  #isExclusive = false;
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
    this.#isExclusive ||= consumer.isExclusive;
  }

  /** What the member held is back in its place when this returns. */
  leave(consumer: Consumer): void {
    const index = this.members.indexOf(consumer);
    if (index < 0) return;
    this.members.splice(index, 1);
    this.#isExclusive = this.members.some((member) => member.isExclusive);
    consumer.stopWaiting();
    this.putBack([...consumer.inFlight]);
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
    return !this.#isExclusive || this.members[0] === consumer;
  }

  #nextHungry(): Consumer | undefined {
    const count = this.#isExclusive ? 1 : this.members.length;
    for (let step = 0; step < count; step++) {
      this.#cursor = this.#cursor + 1 < count ? this.#cursor + 1 : 0;
      const member = this.members[this.#cursor];
      if (member?.isHungry) return member;
    }
    return undefined;
  }
}
