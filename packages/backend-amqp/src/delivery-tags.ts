/**
 * What is unsettled on one channel, and the fewest acks that say what is settled. Delivery tags rise by one with each delivery, so the tags are
 * positions in a window that begins at the lowest unsettled one. When everything up to a tag is settled, one ack with `multiple` says so; what is
 * settled behind an unsettled one is acked by itself. Pure: bytes are sent by the subscription.
 */

const held = 0;
const over = 1;
const acked = 2;
const moving = 3;

/** Acks to send: everything up to `upTo` (0: none), and these beside. */
export interface Acks {
  readonly upTo: number;
  readonly single: readonly number[];
}

/** The window is shortened when so many settled tags stand before it. */
const trimAt = 1_024;

export class DeliveryTags {
  /** Tag of `#states[0]`. */
  #base = 1;
  /** Position of the lowest unsettled tag. */
  #start = 0;
  readonly #states: number[] = [];
  #pending: number[] = [];

  /** The broker handed over the next delivery. */
  add(tag: number): void {
    // Tags that somebody else took on this channel are nobody's here.
    while (this.#base + this.#states.length < tag) this.#states.push(over);
    this.#states.push(held);
  }

  /** To be acked with the next `flush`. False: it is settled already, or was never held. */
  ack(tag: number): boolean {
    if (!this.#change(tag, held, acked)) return false;
    this.#pending.push(tag);
    return true;
  }

  /** Its copy is being stored. */
  beginMove(tag: number): boolean {
    return this.#change(tag, held, moving);
  }

  /** Its copy is stored: it is acked with the next `flush`. Otherwise it is held again. */
  endMove(tag: number, isStored: boolean): void {
    if (this.#change(tag, moving, isStored ? acked : held) && isStored) this.#pending.push(tag);
  }

  /** Given back, by itself. */
  release(tag: number): boolean {
    if (!this.#change(tag, held, over)) return false;
    this.#advance();
    return true;
  }

  flush(): Acks {
    const pending = this.#pending;
    if (pending.length === 0) return nothing;
    this.#pending = [];
    let upTo = 0;
    for (let position = this.#start; position < this.#states.length; position++) {
      const state = this.#states[position];
      if (state === held || state === moving) break;
      if (state === acked) upTo = this.#base + position;
    }
    let single: number[] | undefined;
    for (const tag of pending) {
      this.#states[tag - this.#base] = over;
      if (tag > upTo) {
        single ??= [];
        single.push(tag);
      }
    }
    this.#advance();
    return { upTo, single: single ?? none };
  }

  #change(tag: number, from: number, to: number): boolean {
    const position = tag - this.#base;
    if (this.#states[position] !== from) return false;
    this.#states[position] = to;
    return true;
  }

  #advance(): void {
    const states = this.#states;
    while (this.#start < states.length && states[this.#start] === over) this.#start++;
    if (this.#start === states.length || this.#start >= trimAt) {
      states.splice(0, this.#start);
      this.#base += this.#start;
      this.#start = 0;
    }
  }
}

const none: readonly number[] = Object.freeze([]);
const nothing: Acks = Object.freeze({ upTo: 0, single: none });
