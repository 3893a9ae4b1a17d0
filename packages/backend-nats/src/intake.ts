/**
 * What a member of a group asks of the server: from which sources, and for how many messages. Never more is asked for than the credit leaves.
 *
 * With a credit of one and several sources a request can be open at one source only, or a second message might come. So while the credit is small the
 * sources are asked by turns, without waiting; only when all are empty each gets a waiting request, and the first message that comes cancels the others.
 *
 * With more credit each source has a request open. When the window is full and one source could use what others have asked for and do not get, the quiet
 * ones are set aside: they are asked now and then, without waiting, until they have something or credit is left over.
 */
import type { Clock } from "@halyard/core/spi";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { AckSubject } from "./ack-subject.ts";
import { checkOf, durableOf, type GroupRecord, type SourceCheck } from "./group-record.ts";
import { inboxDurable, type Topology } from "./names.ts";
import { PullSource } from "./pull-source.ts";
import type { RoundTrips } from "./round-trips.ts";
import { shareOut } from "./share-out.ts";

/** A server refuses requests that wait for hardly longer than their own way takes. */
const patienceMsMin = 100;
/** A source that is quiet for so long gives back what it was asked for, when another could use it. */
const quietMs = 20;

export interface IntakeParts {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly roundTrips: RoundTrips;
  readonly topology: Topology;
  readonly inboxPrefix: string;
  readonly apiPrefix: string;
  readonly group: string;
  /** Messages that are in the member's hands. */
  held(): number;
  /** How long a request may wait, milliseconds. 0: nothing may be asked for now. */
  patienceMs(): number;
  onMessage(message: Msg, ack: AckSubject, feed: Feed): void;
  /** A consumer is gone. Nothing is asked for until the promise resolves. */
  onGone(): Promise<void>;
}

/** One source of messages, and what it is used for. */
export interface Feed {
  readonly source: PullSource;
  readonly isInbox: boolean;
  /** Of a source of topics: its number in the record. */
  readonly number: number | undefined;
  check: SourceCheck | undefined;
  isSetAside: boolean;
}

export class Intake {
  readonly #parts: IntakeParts;
  #feeds: readonly Feed[];
  #credit = 1;
  #isPlanned = false;
  /** While the credit is below the number of sources: which one is asked next, and how many were found empty in a row. */
  #probeIndex = 0;
  #emptyProbes = 0;
  #isListening = false;
  /** Requests are being taken back: resolves when the server knows of none of them any more. */
  #cancelling: Promise<void> | undefined;
  #isRepairing = false;
  #isOver = false;
  #patienceMs = 0;
  #cancelReclaim: (() => void) | undefined;

  constructor(record: GroupRecord, parts: IntakeParts) {
    this.#parts = parts;
    this.#feeds = [this.#feedOf(parts.topology.inbox, inboxDurable(parts.group), undefined)];
    this.update(record);
  }

  get credit(): number {
    return this.#credit;
  }

  /** Sources that came with a new definition are asked from now on, those that went are not. */
  update(record: GroupRecord): void {
    const { topology, group } = this.#parts;
    const known = new Map(this.#feeds.map((feed) => [feed.number, feed]));
    const sources = record.sources.map((source): Feed => {
      const feed = known.get(source.number) ?? this.#feedOf(topology.stream, durableOf(group, source), source.number);
      feed.check = checkOf(record, source);
      return feed;
    });
    const feeds = [...this.#feeds.filter(({ isInbox }) => isInbox), ...sources];
    const gone = this.#feeds.filter((feed) => !feeds.includes(feed));
    if (gone.length > 0) void this.#cancel(gone);
    this.#feeds = feeds;
    this.soon();
  }

  /** Resolves when nothing is asked for any more that the new credit does not cover. */
  async setCredit(credit: number): Promise<void> {
    const isLower = credit < this.#credit;
    this.#credit = credit;
    this.#emptyProbes = 0;
    if (isLower || credit >= this.#feeds.length) this.#isListening = false;
    if (isLower) await this.#cancelAll();
    else this.soon();
  }

  /** Asks at the end of this turn. */
  soon(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      this.ask();
    });
  }

  /** Asks for as many messages as the credit allows. */
  ask(): void {
    if (this.#isOver || this.#cancelling !== undefined || this.#isRepairing || this.#parts.connection.isClosed()) return;
    this.#patienceMs = Math.floor(this.#parts.patienceMs());
    if (this.#patienceMs < patienceMsMin) return;
    if (this.#credit < this.#feeds.length) {
      this.#probe();
      return;
    }
    const free = this.#credit - this.#parts.held() - this.#outstanding;
    if (free <= 0) this.#reclaimSoon();
    else this.#share(free);
  }

  watch(nowMs: number): void {
    for (const { source } of this.#feeds) source.watch(nowMs);
    this.soon();
  }

  /** Nothing more is asked for. Resolves when nothing more comes. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#cancelReclaim?.();
    await this.#cancelAll();
  }

  /** Present while requests are taken back. Until it resolves no message may be given back, see `pull-source.ts`. */
  get cancelling(): Promise<void> | undefined {
    return this.#cancelling;
  }

  #feedOf(stream: string, durable: string, number: number | undefined): Feed {
    const { connection, clock, roundTrips, inboxPrefix, apiPrefix } = this.#parts;
    const source = new PullSource({
      connection,
      clock,
      roundTrips,
      inboxPrefix,
      apiPrefix,
      stream,
      durable,
      onMessage: (message, ack) => this.#onMessage(message, ack, feed),
      onEmpty: () => {
        this.#emptyProbes++;
        this.soon();
      },
      onGone: () => this.#onGone(),
    });
    const feed: Feed = { source, isInbox: number === undefined, number, check: undefined, isSetAside: false };
    return feed;
  }

  #onMessage(message: Msg, ack: AckSubject, feed: Feed): void {
    this.#emptyProbes = 0;
    feed.isSetAside = false;
    if (this.#isListening) {
      this.#isListening = false;
      void this.#cancelAll();
    }
    this.#parts.onMessage(message, ack, feed);
    this.soon();
  }

  #onGone(): void {
    if (this.#isRepairing || this.#isOver) return;
    this.#isRepairing = true;
    void this.#parts.onGone().then(() => {
      this.#isRepairing = false;
      this.soon();
    });
  }

  get #outstanding(): number {
    let sum = 0;
    for (const { source } of this.#feeds) sum += source.outstanding;
    return sum;
  }

  #share(free: number): void {
    let rest = free;
    const nowMs = this.#parts.clock.monotonicMs();
    for (const { source, isSetAside } of this.#feeds) {
      if (!isSetAside || rest <= 0 || source.outstanding > 0 || nowMs - source.lastTrafficMs < quietMs) continue;
      source.pull(1, { noWait: true });
      rest--;
    }
    const feeds = this.#feeds.filter(({ isSetAside, source }) => !isSetAside && !source.isCancelling);
    const shares = feeds.map(({ source, isInbox }) => ({ outstanding: source.outstanding, demand: source.demand, isInbox }));
    const asks = shareOut(shares, this.#credit, rest);
    for (const [index, { source }] of feeds.entries()) {
      const count = asks[index] ?? 0;
      if (count > 0) this.#pull(source, count);
    }
    if (free === rest && asks.reduce((sum, count) => sum + count, 0) < rest) this.#takeBack();
  }

  /** Credit is left over: those that were set aside may wait for messages again. */
  #takeBack(): void {
    if (!this.#feeds.some(({ isSetAside }) => isSetAside)) return;
    for (const feed of this.#feeds) feed.isSetAside = false;
    this.soon();
  }

  /** All credit is held or asked for. A source that has nothing may have asked for what another could use. */
  #reclaimSoon(): void {
    if (this.#cancelReclaim !== undefined || !this.#isStarving) return;
    this.#cancelReclaim = this.#parts.clock.after(quietMs, () => {
      this.#cancelReclaim = undefined;
      this.#reclaim();
    });
  }

  /** Some source has had all that it asked for, and none is left to ask for more. */
  get #isStarving(): boolean {
    const isWanting = this.#feeds.some(({ source, isSetAside }) => !isSetAside && source.outstanding === 0);
    return isWanting && this.#feeds.some(({ source }) => source.outstanding > 0);
  }

  #reclaim(): void {
    if (this.#isOver || this.#cancelling !== undefined || this.#credit < this.#feeds.length || !this.#isStarving) return;
    if (this.#parts.held() + this.#outstanding < this.#credit) return;
    const nowMs = this.#parts.clock.monotonicMs();
    const quiet = this.#feeds.filter(({ source }) => source.outstanding > 0 && nowMs - source.lastTrafficMs >= quietMs);
    if (quiet.length === 0) {
      this.#reclaimSoon();
      return;
    }
    for (const feed of quiet) {
      feed.isSetAside = true;
      feed.source.demand = 1;
    }
    void this.#cancel(quiet);
  }

  #probe(): void {
    const free = this.#credit - this.#parts.held();
    if (free <= 0) return;
    if (this.#isListening) {
      // A request that waited long enough, or whose consumer was made again, is asked anew.
      for (const { source } of this.#feeds) if (source.outstanding === 0) this.#pull(source, 1);
      return;
    }
    if (this.#outstanding > 0) return; // asked already
    if (this.#emptyProbes >= this.#feeds.length) {
      this.#isListening = true;
      for (const { source } of this.#feeds) this.#pull(source, 1);
      return;
    }
    this.#probeIndex = (this.#probeIndex + 1) % this.#feeds.length;
    this.#feeds[this.#probeIndex]?.source.pull(free, { noWait: true });
  }

  #pull(source: PullSource, count: number): void {
    source.pull(count, { patienceMs: this.#patienceMs });
  }

  #cancelAll(): Promise<void> {
    return this.#cancel(this.#feeds);
  }

  #cancel(feeds: readonly Feed[]): Promise<void> {
    const running = Promise.all([this.#cancelling, ...feeds.map(({ source }) => source.cancel())]).then(() => {
      if (this.#cancelling === running) this.#cancelling = undefined;
      this.soon();
    });
    this.#cancelling = running;
    return running;
  }
}
