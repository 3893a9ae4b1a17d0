/**
 * A member of a group: it pulls from the group's consumers and from its inbox, within one credit, and settles what it got.
 *
 * With a credit of one and several sources a request can be open at one source only, or a second message might come. So while the credit is small the
 * sources are asked by turns, without waiting; only when all are empty each gets a waiting request, and the first message that comes cancels the others.
 */
import { type BackendSubscription, type Clock, type Delivery, HalyardError, type Settlement, type SettleStatus, type WireMessage } from "@halyard/core/spi";
import { Empty, type Msg, type NatsConnection } from "@nats-io/transport-node";
import type { AckSubject } from "./ack-subject.ts";
import { delayClassOf } from "./delays.ts";
import { lost } from "./errors.ts";
import { checkOf, durableOf, type GroupRecord, type SourceCheck } from "./group-record.ts";
import { inboxDurable, letterSubject, readySubject, type Topology, waitSubject } from "./names.ts";
import { readMessage } from "./native-message.ts";
import type { Frame, Publisher } from "./publisher.ts";
import { PullSource } from "./pull-source.ts";
import { inProgress, nak, Receipt } from "./receipts.ts";
import { shareOut } from "./share-out.ts";
import { copyId, encodeHeaders, withinBytes } from "./wire.ts";

/** Part of the server's `ack_wait` that our own lease lasts: the message took some time to get here. */
const leaseShare = 0.9;
/** A source that is quiet for so long gives back what it was asked for, when another could use it. */
const quietMs = 20;

export interface GroupSubscriptionParts {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly publisher: Publisher;
  readonly topology: Topology;
  readonly inboxPrefix: string;
  readonly apiPrefix: string;
  readonly group: string;
  readonly inFlightMax: number;
  readonly ackWaitMs: number;
  /** Largest message that the server takes, headers included. */
  readonly payloadBytesMax: () => number;
  /** The newest definition of the group. */
  reload(): Promise<void>;
  /** A consumer is gone: makes it again, or ends this subscription where the group was removed. Never rejects. */
  repair(subscription: GroupSubscription, reason: string): Promise<void>;
  /** Makes sure that what is stored in the class is moved when it is due. */
  ensureClass(delayClass: number): Promise<void>;
  onClose(subscription: GroupSubscription): void;
}

interface Feed {
  readonly source: PullSource;
  readonly isInbox: boolean;
  /** Of a source of topics: its number in the record. */
  readonly number: number | undefined;
  check: SourceCheck | undefined;
  /** Quiet while another source could use all the credit: it is asked now and then, without waiting, until it has something or credit is left over. */
  isSetAside: boolean;
}

interface Doubtful {
  readonly delivery: Delivery & { readonly receipt: Receipt };
  readonly feed: Feed;
  readonly sequence: number;
}

export class GroupSubscription implements BackendSubscription {
  readonly group: string;
  readonly lease: NonNullable<BackendSubscription["lease"]>;
  readonly #parts: GroupSubscriptionParts;
  readonly #leaseMs: number;
  #record: GroupRecord;
  #feeds: Feed[] = [];
  #credit = 1;
  #buffer: Delivery[] = [];
  readonly #held = new Set<Receipt>();
  /** May be surplus of a wide filter: decided when the newest definition was read. */
  #doubtful: Doubtful[] = [];
  #isDeciding = false;
  #isFeedPlanned = false;
  #wake: (() => void) | undefined;
  #failure: HalyardError | undefined;
  #isClosed = false;
  /** While the credit is below the number of sources: which one is asked next, and how many were found empty in a row. */
  #probeIndex = 0;
  #emptyProbes = 0;
  #isListening = false;
  #isCancelling = false;
  #cancelReclaim: (() => void) | undefined;
  #isRepairing = false;

  constructor(record: GroupRecord, parts: GroupSubscriptionParts) {
    this.#parts = parts;
    this.#record = record;
    this.group = parts.group;
    this.#leaseMs = Math.floor(parts.ackWaitMs * leaseShare);
    this.lease = { durationMs: this.#leaseMs, extend: (receipts) => this.#extend(receipts) };
    this.#makeFeeds();
    this.#feedSoon();
  }

  get record(): GroupRecord {
    return this.#record;
  }

  get isOver(): boolean {
    return this.#isClosed || this.#failure !== undefined;
  }

  async receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    if (this.#buffer.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isClosed || signal.aborted) return [];
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener("abort", wake);
          this.#wake = undefined;
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener("abort", wake);
      });
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isClosed || signal.aborted) return []; // what came meanwhile waits for the next call
    }
    return this.#buffer.length <= max ? this.#buffer.splice(0) : this.#buffer.splice(0, max);
  }

  credit(inFlightMax: number): void {
    const credit = Math.max(0, Math.min(inFlightMax, this.#parts.inFlightMax));
    const isLower = credit < this.#credit;
    this.#credit = credit;
    this.#emptyProbes = 0;
    if (isLower) void this.#shrink();
    else this.#feedSoon();
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    if (this.#failure?.code === "CONNECTION_LOST") throw this.#failure;
    const { connection, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    let statuses: SettleStatus[] | undefined;
    let moves:
      | { readonly index: number; readonly receipt: Receipt; readonly message: WireMessage; readonly to: "inbox" | "dead-letters"; readonly delayMs: number }[]
      | undefined;
    try {
      for (let index = 0; index < settlements.length; index++) {
        const { receipt, outcome } = settlements[index] as Settlement; // index < length
        if (!(receipt instanceof Receipt) || !this.#held.has(receipt) || receipt.leaseUntilMs <= nowMs) {
          if (receipt instanceof Receipt) this.#held.delete(receipt);
          statuses ??= settlements.map(() => "done");
          statuses[index] = "stale";
        } else if (outcome.type === "move") {
          moves ??= [];
          moves.push({ index, receipt, message: outcome.message, to: outcome.to, delayMs: outcome.delayMs });
        } else {
          this.#held.delete(receipt);
          connection.publish(receipt.reply, outcome.type === "ack" ? Empty : nak);
        }
      }
      if (moves !== undefined) {
        const failed = await this.#move(moves);
        for (const index of failed) {
          statuses ??= settlements.map(() => "done");
          statuses[index] = "failed";
        }
      }
      this.#ask(); // now, so that it leaves in one write with the acks
      // The round trip tells that the server has read what was settled: `done` is no guess.
      await connection.flush();
    } catch (thrown) {
      throw this.#failure ?? lost(thrown);
    }
    return statuses;
  }

  /** The definition of the group has changed, or was read again. */
  update(record: GroupRecord): void {
    if (this.isOver) return;
    if (record.isRemoved === true || record.incarnation !== this.#record.incarnation) {
      this.fail(new HalyardError("GROUP_REMOVED", `The group ${this.group} was removed: its members stop.`));
      return;
    }
    this.#record = record;
    this.#makeFeeds();
    this.#decide();
    this.#feedSoon();
  }

  watch(nowMs: number): void {
    if (this.isOver) return;
    for (const { source } of this.#feeds) source.watch(nowMs);
    this.#forgetLapsed(nowMs);
    this.#feedSoon();
  }

  /** What was held too long is the server's again, and takes no credit any more: core settles nothing that has lapsed. */
  #forgetLapsed(nowMs: number): void {
    for (const receipt of this.#held) if (receipt.leaseUntilMs <= nowMs) this.#held.delete(receipt);
    if (this.#buffer.length > 0) this.#buffer = this.#buffer.filter(({ receipt }) => this.#held.has(receipt as Receipt)); // all receipts are ours
  }

  /** What this process has received and not settled. */
  receipts(): Iterable<Receipt> {
    return this.#held;
  }

  /** Ends it: nothing more is received, and nothing that is held can be settled any more. */
  fail(error: HalyardError): void {
    if (this.isOver) return;
    this.#failure = error;
    this.#buffer = [];
    this.#held.clear();
    for (const { source } of this.#feeds) void source.cancel();
    this.#cancelReclaim?.();
    this.#parts.onClose(this);
    this.#wake?.();
  }

  async close(): Promise<void> {
    if (this.isOver) return;
    this.#isClosed = true;
    this.#cancelReclaim?.();
    this.#wake?.();
    await Promise.all(this.#feeds.map(({ source }) => source.cancel()));
    const { connection } = this.#parts;
    if (!connection.isClosed()) {
      const nowMs = this.#parts.clock.monotonicMs();
      for (const { reply, leaseUntilMs } of this.#held) if (leaseUntilMs > nowMs) connection.publish(reply, nak);
      await connection.flush().catch(() => undefined); // ended meanwhile: the server takes back what is held when its time is up
    }
    this.#held.clear();
    this.#buffer = [];
    this.#doubtful = [];
    this.#parts.onClose(this);
  }

  // ── What comes in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #makeFeeds(): void {
    const { topology } = this.#parts;
    if (this.#feeds.length === 0) this.#feeds.push(this.#feed(topology.inbox, inboxDurable(this.group), undefined));
    const known = new Map(this.#feeds.map((feed) => [feed.number, feed]));
    for (const source of this.#record.sources) {
      const feed = known.get(source.number) ?? this.#feed(topology.stream, durableOf(this.group, source), source.number);
      feed.check = checkOf(this.#record, source);
      if (!known.has(source.number)) this.#feeds.push(feed);
    }
    const numbers = new Set(this.#record.sources.map(({ number }) => number));
    for (const feed of this.#feeds) if (feed.number !== undefined && !numbers.has(feed.number)) void feed.source.cancel();
    this.#feeds = this.#feeds.filter(({ number }) => number === undefined || numbers.has(number));
  }

  #feed(stream: string, durable: string, number: number | undefined): Feed {
    const { connection, clock, inboxPrefix, apiPrefix } = this.#parts;
    const source = new PullSource({
      connection,
      clock,
      inboxPrefix,
      apiPrefix,
      stream,
      durable,
      onMessage: (message, ack) => this.#take(message, ack, feed),
      onEmpty: () => this.#onEmpty(),
      onGone: (_, reason) => this.#onGone(reason),
    });
    const feed: Feed = { source, isInbox: number === undefined, number, check: undefined, isSetAside: false };
    return feed;
  }

  #take(message: Msg, ack: AckSubject, feed: Feed): void {
    const { topology, clock } = this.#parts;
    const { stream } = feed.source;
    const { reply = "" } = message;
    if (this.isOver) {
      this.#giveBack(reply);
      return;
    }
    const position = `${stream}:${ack.sequence}`;
    const { message: wire } = readMessage(message, feed.isInbox ? 0 : topology.topicPrefix.length, () => position);
    const receipt = new Receipt(reply, `${stream}-${ack.sequence}`, wire.id, clock.monotonicMs() + this.#leaseMs);
    const delivery = { message: wire, deliveries: ack.deliveries, receipt, position, raw: message };
    this.#emptyProbes = 0;
    feed.isSetAside = false;
    if (this.#isListening) this.#stopListening();
    if (this.#held.size >= this.#credit) {
      // Two sources answered in the same moment, or the credit was lowered meanwhile.
      this.#giveBack(reply);
      return;
    }
    this.#held.add(receipt);
    if (feed.check !== undefined && !feed.check(wire.topic, ack.sequence)) {
      this.#doubtful.push({ delivery, feed, sequence: ack.sequence });
      this.#decideSoon();
    } else {
      this.#buffer.push(delivery);
      this.#wake?.();
    }
    this.#feedSoon();
  }

  #giveBack(reply: string): void {
    const { connection } = this.#parts;
    if (!connection.isClosed()) connection.publish(reply, nak);
  }

  /** Nothing is dropped by a definition that may be old: it is read again first. */
  #decideSoon(): void {
    if (this.#isDeciding) return;
    this.#isDeciding = true;
    void this.#parts.reload().then(
      () => {
        this.#isDeciding = false;
        this.#decide();
      },
      () => {
        this.#isDeciding = false;
        for (const { delivery } of this.#doubtful.splice(0)) {
          this.#held.delete(delivery.receipt);
          this.#giveBack(delivery.receipt.reply);
        }
      },
    );
  }

  #decide(): void {
    if (this.#isDeciding || this.#doubtful.length === 0) return;
    const { connection } = this.#parts;
    for (const { delivery, feed, sequence } of this.#doubtful.splice(0)) {
      if (!this.#held.has(delivery.receipt)) continue;
      if (feed.check === undefined || feed.check(delivery.message.topic, sequence)) {
        this.#buffer.push(delivery);
        continue;
      }
      this.#held.delete(delivery.receipt);
      if (!connection.isClosed()) connection.publish(delivery.receipt.reply);
    }
    if (this.#buffer.length > 0) this.#wake?.();
    this.#feedSoon();
  }

  #onEmpty(): void {
    this.#emptyProbes++;
    this.#feedSoon();
  }

  #onGone(reason: string): void {
    if (this.#isRepairing || this.isOver) return;
    this.#isRepairing = true;
    void this.#parts.repair(this, reason).then(() => {
      this.#isRepairing = false;
      this.#feedSoon();
    });
  }

  // ── Credit ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #feedSoon(): void {
    if (this.#isFeedPlanned) return;
    this.#isFeedPlanned = true;
    queueMicrotask(() => {
      this.#isFeedPlanned = false;
      this.#ask();
    });
  }

  get #outstanding(): number {
    let sum = 0;
    for (const { source } of this.#feeds) sum += source.outstanding;
    return sum;
  }

  /** Asks for as many messages as the credit allows. */
  #ask(): void {
    if (this.isOver || this.#isCancelling || this.#isRepairing || this.#parts.connection.isClosed()) return;
    if (this.#credit < this.#feeds.length) {
      this.#probe();
      return;
    }
    const free = this.#credit - this.#held.size - this.#outstanding;
    if (free <= 0) {
      this.#reclaimSoon();
      return;
    }
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
      if (count > 0) source.pull(count);
    }
    if (free === rest && asks.reduce((sum, count) => sum + count, 0) < rest) this.#takeBack();
  }

  /** Credit is left over: those that were set aside may wait for messages again. */
  #takeBack(): void {
    if (!this.#feeds.some(({ isSetAside }) => isSetAside)) return;
    for (const feed of this.#feeds) feed.isSetAside = false;
    this.#feedSoon();
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
    return this.#feeds.some(({ source, isSetAside }) => !isSetAside && source.outstanding === 0) && this.#feeds.some(({ source }) => source.outstanding > 0);
  }

  #reclaim(): void {
    if (this.isOver || this.#isCancelling || this.#credit < this.#feeds.length || this.#held.size + this.#outstanding < this.#credit || !this.#isStarving)
      return;
    const nowMs = this.#parts.clock.monotonicMs();
    const quiet = this.#feeds.filter(({ source }) => source.outstanding > 0 && nowMs - source.lastTrafficMs >= quietMs);
    if (quiet.length === 0) {
      this.#reclaimSoon();
      return;
    }
    for (const feed of quiet) {
      feed.isSetAside = true;
      feed.source.demand = 1;
      void feed.source.cancel().then(() => this.#feedSoon());
    }
  }

  #probe(): void {
    const free = this.#credit - this.#held.size;
    if (free <= 0) return;
    if (this.#isListening) {
      // A request that waited long enough, or whose consumer was made again, is asked anew.
      for (const { source } of this.#feeds) if (source.outstanding === 0) source.pull(1);
      return;
    }
    if (this.#outstanding > 0) return; // asked already
    if (this.#emptyProbes >= this.#feeds.length) {
      this.#isListening = true;
      for (const { source } of this.#feeds) source.pull(1);
      return;
    }
    this.#probeIndex = (this.#probeIndex + 1) % this.#feeds.length;
    this.#feeds[this.#probeIndex]?.source.pull(free, { noWait: true });
  }

  #stopListening(): void {
    this.#isListening = false;
    void this.#cancelAll();
  }

  async #cancelAll(): Promise<void> {
    this.#isCancelling = true;
    await Promise.all(this.#feeds.map(({ source }) => source.cancel()));
    this.#isCancelling = false;
    this.#feedSoon();
  }

  /** Less credit: requests are taken back, and what was fetched and not received goes back to the group. */
  async #shrink(): Promise<void> {
    this.#isListening = false;
    await this.#cancelAll();
    while (this.#buffer.length > 0 && (this.#held.size > this.#credit || this.#credit === 0)) {
      const { receipt } = this.#buffer.pop() as Delivery; // length > 0
      if (!(receipt instanceof Receipt) || !this.#held.delete(receipt)) continue;
      this.#giveBack(receipt.reply);
    }
    this.#feedSoon();
  }

  // ── What goes out ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Stores the copies, confirmed, and acks the originals of those that are stored. Returns the indexes of the others. */
  async #move(
    moves: readonly {
      readonly index: number;
      readonly receipt: Receipt;
      readonly message: WireMessage;
      readonly to: "inbox" | "dead-letters";
      readonly delayMs: number;
    }[],
  ): Promise<readonly number[]> {
    const { publisher, connection, ensureClass } = this.#parts;
    const classes = new Set(moves.filter(({ to, delayMs }) => to === "inbox" && delayMs > 0).map(({ delayMs }) => delayClassOf(delayMs)));
    try {
      await Promise.all([...classes].map((delayClass) => ensureClass(delayClass)));
    } catch (thrown) {
      if (this.#failure !== undefined) throw thrown;
      return moves.map(({ index }) => index);
    }
    const statuses = await publisher.send(moves.map((move) => this.#frameOf(move)));
    const failed: number[] = [];
    for (const [position, { index, receipt }] of moves.entries()) {
      const status = statuses?.[position];
      if (status !== undefined && status.status !== "accepted") {
        failed.push(index);
        continue;
      }
      this.#held.delete(receipt);
      connection.publish(receipt.reply);
    }
    return failed;
  }

  #frameOf({
    receipt,
    message,
    to,
    delayMs,
  }: {
    readonly receipt: Receipt;
    readonly message: WireMessage;
    readonly to: "inbox" | "dead-letters";
    readonly delayMs: number;
  }): Frame {
    const { topology, payloadBytesMax } = this.#parts;
    const native = copyId(message, this.group, receipt.move);
    if (to === "dead-letters") {
      const headers = withinBytes(message, payloadBytesMax(), (one) => encodeHeaders(one, native, { topic: one.topic }));
      return { subject: letterSubject(topology, this.group), headers, body: message.body };
    }
    const wholeMs = Math.ceil(delayMs);
    const subject = wholeMs > 0 ? waitSubject(topology, delayClassOf(wholeMs), this.group) : readySubject(topology, this.group);
    return {
      subject,
      headers: encodeHeaders(message, native, {
        topic: message.topic,
        delayMs: wholeMs > 0 ? wholeMs : undefined,
        incarnation: wholeMs > 0 ? this.#record.incarnation : undefined,
      }),
      body: message.body,
    };
  }

  async #extend(receipts: readonly unknown[]): Promise<readonly unknown[]> {
    if (this.#failure?.code === "CONNECTION_LOST") throw this.#failure;
    const { connection, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    const lostOnes: unknown[] = [];
    const extended: Receipt[] = [];
    for (const receipt of receipts) {
      if (!(receipt instanceof Receipt) || !this.#held.has(receipt) || receipt.leaseUntilMs <= nowMs) {
        lostOnes.push(receipt);
        continue;
      }
      connection.publish(receipt.reply, inProgress);
      extended.push(receipt);
    }
    if (extended.length > 0) await connection.flush();
    for (const receipt of extended) receipt.leaseUntilMs = nowMs + this.#leaseMs;
    return lostOnes;
  }
}
