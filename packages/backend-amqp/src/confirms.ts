/**
 * Counts the broker's confirms. Messages on a confirm channel are numbered from 1; the broker confirms them one by one or all up to a number, in any
 * order. Published in batches, they are counted in batches: a batch that is confirmed at one stroke costs one subtraction, and only what went
 * wrong gets an entry of its own. Pure: the channel is in `publisher.ts`.
 */

/** Why a message of a batch is not stored, or nobody knows. */
export type Failure = "nacked" | "returned" | "unknown";

export type Failures = ReadonlyMap<number, Failure>;

export class Batch {
  readonly first: number;
  readonly count: number;
  /** Ids of the messages, where a `basic.return` must be told apart. */
  readonly ids: readonly string[] | undefined;
  readonly startMs: number;
  /** Lowest number that is not known to be answered. */
  next: number;
  rest: number;
  /** Answered numbers above `next`. */
  beyond: Set<number> | undefined;
  /** By position in the batch. */
  failures: Map<number, Failure> | undefined;
  isOver = false;
  done: (failures: Failures | undefined) => void = () => undefined;

  constructor(first: number, count: number, ids: readonly string[] | undefined, startMs: number) {
    this.first = first;
    this.count = count;
    this.ids = ids;
    this.startMs = startMs;
    this.next = first;
    this.rest = count;
  }

  get last(): number {
    return this.first + this.count - 1;
  }

  fail(position: number, failure: Failure): void {
    this.failures ??= new Map();
    // What was returned is confirmed afterwards all the same.
    if (!this.failures.has(position)) this.failures.set(position, failure);
  }

  isAnswered(number: number): boolean {
    return number < this.next || this.beyond?.has(number) === true;
  }
}

export class Confirms {
  #batches: Batch[] = [];
  #nextNumber = 1;

  /** The number that the next message on the channel has. */
  get nextNumber(): number {
    return this.#nextNumber;
  }

  get isIdle(): boolean {
    return this.#batches.length === 0;
  }

  /** To be called after all of its messages are written. `done` may be set until the event loop turns. */
  add(count: number, ids: readonly string[] | undefined, startMs: number): Batch {
    const batch = new Batch(this.#nextNumber, count, ids, startMs);
    this.#nextNumber += count;
    this.#batches.push(batch);
    return batch;
  }

  /** The broker confirmed `number`, or with `isMultiple` all up to it. */
  answer(number: number, isMultiple: boolean, isNack: boolean): void {
    if (!isMultiple) {
      const batch = this.#batches.find(({ last }) => last >= number);
      if (batch !== undefined && batch.first <= number) this.#answerOne(batch, number, isNack);
      return;
    }
    for (const batch of this.#batches) {
      if (batch.first > number) break;
      this.#answerUpTo(batch, Math.min(number, batch.last), isNack);
    }
    this.#sweep();
  }

  /** The broker could not route a mandatory message; its confirm follows. */
  returned(id: unknown): void {
    for (const batch of this.#batches) {
      const position =
        batch.ids?.findIndex((one, index) => one === id && !batch.isAnswered(batch.first + index) && batch.failures?.get(index) !== "returned") ?? -1;
      if (position === -1) continue;
      batch.fail(position, "returned");
      return;
    }
  }

  /** Ends batches that are older than `startMs`: what is not answered is unknown. Answers that come later are ignored. */
  expire(startMs: number): void {
    for (const batch of this.#batches) if (batch.startMs < startMs) this.#giveUp(batch);
    this.#sweep();
  }

  /** As `expire`, for one batch. */
  giveUp(batch: Batch): void {
    this.#giveUp(batch);
    this.#sweep();
  }

  #answerOne(batch: Batch, number: number, isNack: boolean): void {
    if (batch.isAnswered(number)) return;
    if (isNack) batch.fail(number - batch.first, "nacked");
    batch.rest--;
    if (number === batch.next) {
      batch.next++;
      this.#absorb(batch);
    } else {
      batch.beyond ??= new Set();
      batch.beyond.add(number);
    }
    if (batch.rest === 0) {
      this.#finish(batch);
      this.#sweep();
    }
  }

  #answerUpTo(batch: Batch, number: number, isNack: boolean): void {
    if (batch.beyond === undefined && !isNack) {
      if (number < batch.next) return;
      batch.rest -= number - batch.next + 1;
      batch.next = number + 1;
    } else {
      for (let each = batch.next; each <= number; each++) {
        if (batch.isAnswered(each)) continue;
        if (isNack) batch.fail(each - batch.first, "nacked");
        batch.rest--;
      }
      batch.next = Math.max(batch.next, number + 1);
      for (const each of batch.beyond ?? []) if (each < batch.next) batch.beyond?.delete(each);
      this.#absorb(batch);
    }
    if (batch.rest === 0) this.#finish(batch);
  }

  #absorb(batch: Batch): void {
    while (batch.beyond?.delete(batch.next) === true) batch.next++;
  }

  #giveUp(batch: Batch): void {
    for (let each = batch.next; each <= batch.last; each++) if (!batch.isAnswered(each)) batch.fail(each - batch.first, "unknown");
    this.#finish(batch);
  }

  #finish(batch: Batch): void {
    if (batch.isOver) return;
    batch.isOver = true;
    batch.done(batch.failures);
  }

  #sweep(): void {
    if (this.#batches[0]?.isOver === true && this.#batches.length === 1) this.#batches = [];
    else if (this.#batches.some(({ isOver }) => isOver)) this.#batches = this.#batches.filter(({ isOver }) => !isOver);
  }
}
