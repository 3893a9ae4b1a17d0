/** A member of a group: what the intake brings in is handed to core, held under a lease, and settled as core says. */
import {
  type BackendSubscription,
  type Clock,
  type Delivery,
  DeliveryBuffer,
  HalyardError,
  isHalyardError,
  type Settlement,
  type SettleStatus,
} from "@halyard/core/spi";
import { Empty, type Msg, type NatsConnection } from "@nats-io/transport-node";
import type { AckSubject } from "./ack-subject.ts";
import { Doubts } from "./doubts.ts";
import { lost } from "./errors.ts";
import type { GroupRecord } from "./group-record.ts";
import { type Feed, Intake } from "./intake.ts";
import type { LockParts } from "./lease-lock.ts";
import { extendLeases } from "./leases.ts";
import { type Move, type MovesParts, storeCopies } from "./moves.ts";
import { readMessage } from "./native-message.ts";
import { patienceMsMax } from "./pull-source.ts";
import { Receipt } from "./receipts.ts";
import { OrderedReturns, PromptReturns, type Returns } from "./returns.ts";
import type { RoundTrips } from "./round-trips.ts";
import { Turn, turnLeaseMs } from "./turn.ts";

/** Part of the server's `ack_wait` that our own lease lasts: the message took some time to get here. */
const leaseShare = 0.9;

export interface GroupSubscriptionParts extends MovesParts {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly roundTrips: RoundTrips;
  readonly inboxPrefix: string;
  readonly apiPrefix: string;
  readonly inFlightMax: number;
  readonly ackWaitMs: number;
  readonly requestTimeoutMs: number;
  /** Of an exclusive member: what it needs to wait for its turn. */
  readonly exclusive: LockParts | undefined;
  /** The newest definition of the group. */
  reload(): Promise<void>;
  /** A consumer is gone: makes it again, or ends this subscription where the group was removed. Never rejects. */
  repair(subscription: GroupSubscription): Promise<void>;
  onClose(subscription: GroupSubscription): void;
}

/** A delivery of ours. */
type Handed = Delivery & { readonly receipt: Receipt };

export class GroupSubscription implements BackendSubscription {
  readonly group: string;
  readonly lease: NonNullable<BackendSubscription["lease"]>;
  readonly #parts: GroupSubscriptionParts;
  readonly #leaseMs: number;
  #record: GroupRecord;
  readonly #intake: Intake;
  readonly #buffer = new DeliveryBuffer<Handed>();
  readonly #held = new Set<Receipt>();
  readonly #doubts: Doubts<Handed>;
  readonly #returns: Returns;
  /** Of an exclusive member. */
  readonly #turn: Turn | undefined;

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
      onGone: () => parts.repair(this),
    });
    this.#doubts = new Doubts({
      reload: parts.reload,
      onOurs: (delivery) => {
        if (this.#held.has(delivery.receipt)) this.#buffer.push(delivery);
      },
      onSurplus: ({ receipt }) => {
        if (this.#held.delete(receipt) && !connection.isClosed()) connection.publish(receipt.reply);
      },
      onUnknown: ({ receipt }) => {
        if (this.#held.delete(receipt)) this.#returns.add(receipt.reply);
      },
      onDecided: () => this.#intake.soon(),
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
    return this.#buffer.isOver;
  }

  receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    if (this.#buffer.size > 0 && this.#turn?.restMs === 0) this.#loseTurn(); // this process hung, and its timers do not know yet
    return this.#buffer.receive(max, signal);
  }

  credit(inFlightMax: number): void {
    const credit = Math.max(0, Math.min(inFlightMax, this.#parts.inFlightMax));
    const isLower = credit < this.#intake.credit;
    const asking = this.#intake.setCredit(credit);
    if (isLower) void asking.then(() => this.#giveBackExcess());
    else this.#returns.flush();
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    this.#assertConnected();
    const { connection, clock, roundTrips } = this.#parts;
    const nowMs = clock.monotonicMs();
    let statuses: SettleStatus[] | undefined;
    const moves: Move[] = [];
    try {
      for (let index = 0; index < settlements.length; index++) {
        const { receipt, outcome } = settlements[index] as Settlement; // index < length
        if (!(receipt instanceof Receipt) || !this.#held.has(receipt) || receipt.leaseUntilMs <= nowMs) {
          if (receipt instanceof Receipt) this.#held.delete(receipt);
          statuses ??= settlements.map(() => "done");
          statuses[index] = "stale";
        } else if (outcome.type === "move") {
          moves.push({ index, receipt, message: outcome.message, to: outcome.to, delayMs: outcome.delayMs });
        } else {
          this.#held.delete(receipt);
          if (outcome.type === "ack") connection.publish(receipt.reply, Empty);
          else this.#returns.add(receipt.reply);
        }
      }
      for (const index of moves.length === 0 ? [] : await this.#move(moves)) {
        statuses ??= settlements.map(() => "done");
        statuses[index] = "failed";
      }
      while (!this.#returns.isEmpty && this.#intake.cancelling !== undefined) await this.#intake.cancelling;
      this.#intake.ask(); // now, so that it leaves in one write with the acks
      // The round trip tells that the server has read what was settled: `done` is no guess.
      await roundTrips.flush();
    } catch (thrown) {
      throw this.#buffer.error ?? lost(thrown);
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
    this.#doubts.decide();
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
    this.#buffer.retain(({ receipt }) => this.#held.has(receipt));
  }

  /** What this process has received and not settled, and may give back itself. What an exclusive member held is given back by who has the turn after it. */
  receipts(): Iterable<Receipt> {
    return this.#turn === undefined ? this.#held : [];
  }

  /** Ends it: nothing more is received, and nothing that is held can be settled any more. */
  fail(error: HalyardError): void {
    if (this.isOver) return;
    this.#buffer.fail(error);
    this.#held.clear();
    this.#doubts.clear();
    void this.#intake.end().then(() => this.#turn?.end());
    this.#parts.onClose(this);
  }

  #loseTurn(): void {
    this.fail(
      new HalyardError("BACKEND_FAILED", `The turn in the exclusive group ${this.group} is lost: it could not be renewed in time.`, { retryable: true }),
    );
  }

  /** `over`: its session closes, and calls are to be refused with this. */
  async close(over?: HalyardError): Promise<void> {
    if (this.isOver) return;
    if (over === undefined) this.#buffer.close();
    else this.#buffer.fail(over);
    this.#doubts.clear();
    await this.#intake.end();
    const nowMs = this.#parts.clock.monotonicMs();
    await this.#returns.end([...this.#held].filter(({ leaseUntilMs }) => leaseUntilMs > nowMs).map(({ reply }) => reply));
    await this.#turn?.end();
    this.#held.clear();
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
      this.#doubts.add(delivery, wire.topic, feed, ack.sequence);
    } else this.#buffer.push(delivery);
  }

  /** Less credit: what was fetched and not received goes back to the group. */
  #giveBackExcess(): void {
    const { credit } = this.#intake;
    while (this.#held.size > credit || credit === 0) {
      const last = this.#buffer.pop();
      if (last === undefined) break;
      if (this.#held.delete(last.receipt)) this.#returns.add(last.receipt.reply);
    }
    this.#intake.soon();
  }

  // ── What goes out ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Stores the copies and acks the originals of those that are stored. Returns the indexes of the others. */
  async #move(moves: readonly Move[]): Promise<readonly number[]> {
    const { connection } = this.#parts;
    const stored = new Set(await storeCopies(moves, this.#record.incarnation, this.#parts));
    this.#assertConnected();
    for (const { receipt } of stored) {
      this.#held.delete(receipt);
      connection.publish(receipt.reply);
    }
    return moves.filter((move) => !stored.has(move)).map(({ index }) => index);
  }

  async #extend(receipts: readonly unknown[]): Promise<readonly unknown[]> {
    this.#assertConnected();
    if (this.#turn?.restMs === 0) return receipts;
    return extendLeases(receipts, this.#held, { ...this.#parts, leaseMs: this.#leaseMs });
  }

  #assertConnected(): void {
    if (isHalyardError(this.#buffer.error, "CONNECTION_LOST")) throw this.#buffer.error;
  }
}
