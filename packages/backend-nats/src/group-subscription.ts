/** A member of a group: what the intake brings in is handed to core, held under a lease, and settled as core says. */
import { type BackendSubscription, type Clock, type Delivery, HalyardError, type Settlement, type SettleStatus, type WireMessage } from "@halyard/core/spi";
import { Empty, type Msg, type NatsConnection } from "@nats-io/transport-node";
import type { AckSubject } from "./ack-subject.ts";
import { Arrival } from "./arrival.ts";
import { delayClassOf } from "./delays.ts";
import { lost } from "./errors.ts";
import type { GroupRecord } from "./group-record.ts";
import { type Feed, Intake } from "./intake.ts";
import type { LockParts } from "./lease-lock.ts";
import { letterSubject, readySubject, type Topology, waitSubject } from "./names.ts";
import { readMessage } from "./native-message.ts";
import type { Frame, Publisher } from "./publisher.ts";
import { patienceMsMax } from "./pull-source.ts";
import { inProgress, Receipt } from "./receipts.ts";
import { OrderedReturns, PromptReturns, type Returns } from "./returns.ts";
import type { RoundTrips } from "./round-trips.ts";
import { Turn, turnLeaseMs } from "./turn.ts";
import { copyId, encodeHeaders, withinBytes } from "./wire.ts";

/** Part of the server's `ack_wait` that our own lease lasts: the message took some time to get here. */
const leaseShare = 0.9;
export interface GroupSubscriptionParts {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly roundTrips: RoundTrips;
  readonly publisher: Publisher;
  readonly topology: Topology;
  readonly inboxPrefix: string;
  readonly apiPrefix: string;
  readonly group: string;
  readonly inFlightMax: number;
  readonly ackWaitMs: number;
  readonly requestTimeoutMs: number;
  /** Of an exclusive member: what it needs to wait for its turn. */
  readonly exclusive: LockParts | undefined;
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
  readonly #intake: Intake;
  #buffer: Delivery[] = [];
  readonly #held = new Set<Receipt>();
  /** May be surplus of a wide filter: decided when the newest definition was read. */
  #doubtful: Doubtful[] = [];
  #isDeciding = false;
  readonly #returns: Returns;
  /** Of an exclusive member. */
  readonly #turn: Turn | undefined;
  readonly #arrival = new Arrival();
  #failure: HalyardError | undefined;
  #isClosed = false;
  constructor(record: GroupRecord, parts: GroupSubscriptionParts) {
    this.#parts = parts;
    this.#record = record;
    this.group = parts.group;
    const { connection, roundTrips, exclusive, requestTimeoutMs, ackWaitMs } = parts;
    // Nothing that an exclusive member holds outlasts its turn: core starts and settles nothing of it that has lapsed.
    this.#leaseMs = exclusive === undefined ? Math.floor(ackWaitMs * leaseShare) : turnLeaseMs(ackWaitMs);
    this.lease = { durationMs: this.#leaseMs, extend: (receipts) => this.#extend(receipts) };
    const turn =
      exclusive === undefined
        ? undefined
        : new Turn({
            ...exclusive,
            group: parts.group,
            ackWaitMs,
            requestTimeoutMs,
            record: () => this.#record,
            onTaken: () => this.#intake.soon(),
            onLost: () => this.#loseTurn(),
          });
    this.#turn = turn;
    this.#intake = new Intake(record, {
      ...parts,
      held: () => this.#held.size,
      patienceMs: () => (turn === undefined ? patienceMsMax : this.#returns.isEmpty ? Math.min(patienceMsMax, turn.restMs) : 0),
      onMessage: (message, ack, feed) => this.#take(message, ack, feed),
      onGone: (reason) => parts.repair(this, reason),
    });
    const cancelling = (): Promise<void> | undefined => this.#intake.cancelling;
    this.#returns =
      turn === undefined
        ? new PromptReturns({ connection, roundTrips, cancelling })
        : new OrderedReturns({
            connection,
            roundTrips,
            cancelling,
            timeoutMs: requestTimeoutMs,
            isAsking: () => this.#intake.credit > 0 && !this.isOver,
            isWanted: () => turn.restMs > 0,
            onDone: () => this.#intake.soon(),
            onFailure: () => this.#loseTurn(),
          });
  }

  /** Resolves when the server knows that this member is there. */
  async start(): Promise<void> {
    await this.#turn?.start();
  }

  get record(): GroupRecord {
    return this.#record;
  }

  get isOver(): boolean {
    return this.#isClosed || this.#failure !== undefined;
  }

  async receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    if (this.#buffer.length > 0 && this.#turn?.restMs === 0) this.#loseTurn(); // this process hung, and its timers do not know yet
    if (this.#buffer.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isClosed || signal.aborted) return [];
      await this.#arrival.wait(signal);
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isClosed || signal.aborted) return []; // what came meanwhile waits for the next call
    }
    return this.#buffer.length <= max ? this.#buffer.splice(0) : this.#buffer.splice(0, max);
  }

  credit(inFlightMax: number): void {
    const credit = Math.max(0, Math.min(inFlightMax, this.#parts.inFlightMax));
    const isLower = credit < this.#intake.credit;
    const asking = this.#intake.setCredit(credit);
    if (isLower) void asking.then(() => this.#giveBackExcess());
    else this.#returns.flush();
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    if (this.#failure?.code === "CONNECTION_LOST") throw this.#failure;
    const { connection, clock, roundTrips } = this.#parts;
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
          if (outcome.type === "ack") connection.publish(receipt.reply, Empty);
          else this.#returns.add(receipt.reply);
        }
      }
      if (moves !== undefined) {
        const failed = await this.#move(moves);
        for (const index of failed) {
          statuses ??= settlements.map(() => "done");
          statuses[index] = "failed";
        }
      }
      while (!this.#returns.isEmpty && this.#intake.cancelling !== undefined) await this.#intake.cancelling;
      this.#intake.ask(); // now, so that it leaves in one write with the acks
      // The round trip tells that the server has read what was settled: `done` is no guess.
      await roundTrips.flush();
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
    this.#intake.update(record);
    this.#decide();
  }

  watch(nowMs: number): void {
    if (this.isOver) return;
    this.#forgetLapsed(nowMs);
    this.#intake.watch(nowMs);
  }

  /** What was held too long is the server's again, and takes no credit any more: core settles nothing that has lapsed. */
  #forgetLapsed(nowMs: number): void {
    const lapsed = [...this.#held].filter(({ leaseUntilMs }) => leaseUntilMs <= nowMs);
    if (lapsed.length > 0 && this.#turn !== undefined) {
      this.#loseTurn(); // it comes back in its order, not after what is new
      return;
    }
    for (const receipt of lapsed) this.#held.delete(receipt);
    if (this.#buffer.length > 0) this.#buffer = this.#buffer.filter(({ receipt }) => this.#held.has(receipt as Receipt)); // all receipts are ours
  }

  /** What this process has received and not settled, and may give back itself. What an exclusive member held is given back by who has the turn after it. */
  receipts(): Iterable<Receipt> {
    return this.#turn === undefined ? this.#held : [];
  }

  /** Ends it: nothing more is received, and nothing that is held can be settled any more. */
  fail(error: HalyardError): void {
    if (this.isOver) return;
    this.#failure = error;
    this.#buffer = [];
    this.#held.clear();
    void this.#intake.end().then(() => this.#turn?.end());
    this.#parts.onClose(this);
    this.#arrival.tell();
  }

  #loseTurn(): void {
    this.fail(
      new HalyardError("BACKEND_FAILED", `The turn in the exclusive group ${this.group} is lost: it could not be renewed in time.`, { retryable: true }),
    );
  }

  /** `over`: its session closes, and calls are to be refused with this. */
  async close(over?: HalyardError): Promise<void> {
    if (this.isOver) return;
    this.#isClosed = true;
    this.#failure = over;
    this.#arrival.tell();
    await this.#intake.end();
    const nowMs = this.#parts.clock.monotonicMs();
    await this.#returns.end([...this.#held].filter(({ leaseUntilMs }) => leaseUntilMs > nowMs).map(({ reply }) => reply));
    await this.#turn?.end();
    this.#held.clear();
    this.#buffer = [];
    this.#doubtful = [];
    this.#parts.onClose(this);
  }

  // ── What comes in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #take(message: Msg, ack: AckSubject, feed: Feed): void {
    const { topology, clock } = this.#parts;
    const { stream } = feed.source;
    const { reply = "" } = message;
    if (this.isOver) {
      this.#returns.add(reply);
      return;
    }
    if (this.#turn?.restMs === 0) return; // came too late: the next owner has it, or is going to
    const position = `${stream}:${ack.sequence}`;
    const { message: wire } = readMessage(message, feed.isInbox ? 0 : topology.topicPrefix.length, () => position);
    const receipt = new Receipt(reply, `${stream}-${ack.sequence}`, wire.id, clock.monotonicMs() + this.#leaseMs);
    const delivery = { message: wire, deliveries: ack.deliveries, receipt, position, raw: message };
    if (this.#held.size >= this.#intake.credit) {
      // Two sources answered in the same moment, or the credit was lowered meanwhile.
      this.#returns.add(reply);
      return;
    }
    this.#held.add(receipt);
    if (feed.check !== undefined && !feed.check(wire.topic, ack.sequence)) {
      this.#doubtful.push({ delivery, feed, sequence: ack.sequence });
      this.#decideSoon();
    } else {
      this.#buffer.push(delivery);
      this.#arrival.tell();
    }
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
          this.#returns.add(delivery.receipt.reply);
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
    if (this.#buffer.length > 0) this.#arrival.tell();
    this.#intake.soon();
  }

  /** Less credit: what was fetched and not received goes back to the group. */
  #giveBackExcess(): void {
    const { credit } = this.#intake;
    while (this.#buffer.length > 0 && (this.#held.size > credit || credit === 0)) {
      const { receipt } = this.#buffer.pop() as Delivery; // length > 0
      if (!(receipt instanceof Receipt) || !this.#held.delete(receipt)) continue;
      this.#returns.add(receipt.reply);
    }
    this.#intake.soon();
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
    if (this.#turn?.restMs === 0) return receipts;
    const { connection, clock, roundTrips } = this.#parts;
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
    if (extended.length > 0) await roundTrips.flush();
    for (const receipt of extended) receipt.leaseUntilMs = nowMs + this.#leaseMs;
    return lostOnes;
  }
}
