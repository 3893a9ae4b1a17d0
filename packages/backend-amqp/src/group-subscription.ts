/**
 * One member of a group: consumers on a channel of its own, what has arrived and waits for `receive`, and the acks. A receipt is the delivery tag on
 * that channel. The channel is never replaced under a subscription: when it ends, everything held is stale, `receive` rejects, and core subscribes
 * anew. So no ack can reach a channel that did not deliver its message.
 */
import type { BackendSubscription, Delivery, Settlement, SettleStatus, TopicPattern, WireMessage } from "@halyard/core/spi";
import { DeliveryBuffer, HalyardError, isHalyardError } from "@halyard/core/spi";
import type { ConsumeMessage } from "amqplib";
import type { GuardedChannel } from "./channel.ts";
import { type Consumer, Consumers } from "./consumers.ts";
import { DeliveryTags } from "./delivery-tags.ts";
import { isReply, lostError, replies } from "./errors.ts";
import { Pipeline } from "./pipeline.ts";
import type { CopySource } from "./storing.ts";
import { deliveriesBefore, dueMsOf, fromMessage } from "./wire.ts";

/** What the subscription asks of its session. */
export interface GroupPort {
  readonly lost: HalyardError | undefined;
  nowMs(): number;
  monotonicMs(): number;
  nextConsumerTag(group: string): string;
  /** Stores copies in the group's inbox or dead letters; says which are stored. Never rejects while the session lives. */
  store(from: CopySource, copies: readonly Copy[]): Promise<readonly boolean[]>;
  /** The group's queue is gone. Resolves with why the subscription is to end. */
  groupGone(subscription: GroupSubscription): Promise<HalyardError>;
  /** Why the subscription is to end where its channel was closed because of the broker's `consumer_timeout`. */
  heldTooLong(group: string, error: Error | undefined): HalyardError | undefined;
  forget(subscription: GroupSubscription): void;
}

/** A message on its way to a place of its group. */
export interface Copy {
  readonly to: "inbox" | "dead-letters";
  readonly message: WireMessage;
  readonly delayMs: number;
  /** What it is a copy of. */
  readonly original: ConsumeMessage | undefined;
}

export interface GroupSubscriptionParts {
  readonly port: GroupPort;
  readonly group: string;
  readonly life: number;
  readonly queue: string;
  readonly patterns: readonly TopicPattern[];
  readonly channel: GuardedChannel;
  readonly inFlightMax: number;
  readonly prefetch: number;
  readonly countsDeliveries: boolean;
  /** Frees what the subscription holds besides its channel. */
  readonly release: () => Promise<void>;
}

interface Arrival {
  readonly raw: ConsumeMessage;
  readonly consumer: Consumer;
}

export class GroupSubscription implements BackendSubscription {
  readonly group: string;
  readonly life: number;
  readonly patterns: readonly TopicPattern[];
  readonly #parts: GroupSubscriptionParts;
  readonly #channel: GuardedChannel;
  readonly #tags = new DeliveryTags();
  readonly #arrived = new DeliveryBuffer<Arrival>();
  readonly #consumers: Consumers;
  /** By delivery tag, until settled. */
  readonly #held = new Map<number, Arrival>();
  readonly #pipeline: Pipeline;
  /** An exclusive member that waits gives no credit. */
  #isActive = true;
  #credit = 1;
  #isLeaving = false;
  #closing: Promise<void> | undefined;

  constructor(parts: GroupSubscriptionParts) {
    this.#parts = parts;
    this.group = parts.group;
    this.life = parts.life;
    this.patterns = parts.patterns;
    this.#channel = parts.channel;
    this.#pipeline = new Pipeline(parts.channel, parts.queue, parts.port);
    this.#consumers = new Consumers({
      channel: parts.channel,
      queue: parts.queue,
      nextTag: () => parts.port.nextConsumerTag(parts.group),
      onDelivery: this.#onDelivery,
      onCancel: () => void this.#onCancel(),
      onError: (error) => {
        if (!this.#isLeaving) this.fail(error);
      },
    });
    this.#channel.onEnd((error) => this.#onChannelEnd(error));
  }

  /** Begins with one; an exclusive member waits until it is the active one. */
  async start(isActive: boolean): Promise<void> {
    this.#isActive = isActive;
    if (isActive) await this.#consumers.set(this.#credit);
    const { error } = this.#arrived;
    if (error !== undefined) throw error;
  }

  activate(): void {
    if (this.#isActive || this.#arrived.isOver) return;
    this.#isActive = true;
    void this.#consumers.set(this.#credit);
  }

  get hasConsumer(): boolean {
    return this.#consumers.hasConsumer;
  }

  async receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    const arrivals = await this.#arrived.receive(max, signal);
    const deliveries = new Array<Delivery>(arrivals.length);
    for (let index = 0; index < arrivals.length; index++) deliveries[index] = this.#deliver(arrivals[index] as Arrival); // index < length
    return deliveries;
  }

  credit(inFlightMax: number): void {
    if (this.#arrived.isOver) return;
    this.#credit = Math.max(0, Math.min(inFlightMax, this.#parts.inFlightMax, this.#parts.prefetch));
    if (this.#credit === 0) this.#giveBack(this.#arrived.drain());
    if (this.#isActive) void this.#consumers.set(this.#credit);
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    const { port } = this.#parts;
    if (port.lost !== undefined) throw port.lost;
    if (this.#isLeaving) return settlements.map(() => "stale");
    let statuses: SettleStatus[] | undefined;
    let moves: number[] | undefined;
    for (let index = 0; index < settlements.length; index++) {
      const { receipt, outcome } = settlements[index] as Settlement; // index < length
      const tag = receipt as number; // ours; anything else is held by nobody
      let isTaken: boolean;
      if (outcome.type === "ack") isTaken = this.#tags.ack(tag) && this.#drop(tag);
      else if (outcome.type === "release") isTaken = this.#release(tag);
      else {
        isTaken = this.#tags.beginMove(tag);
        if (isTaken) {
          moves ??= [];
          moves.push(index);
        }
      }
      if (isTaken) continue;
      statuses ??= new Array<SettleStatus>(settlements.length).fill("done");
      statuses[index] = "stale";
    }
    this.#flush();
    return moves === undefined ? statuses : this.#move(settlements, moves, statuses);
  }

  /** `over`: its session closes, and who receives is to be refused with this. */
  close(over?: HalyardError): Promise<void> {
    this.#closing ??= this.#close(over);
    return this.#closing;
  }

  /** Nothing more will come, and what is held comes back by itself. */
  fail(error: Error): void {
    if (this.#arrived.isOver) return;
    this.#arrived.fail(error);
    this.#leave();
    this.#channel.abandon(error);
    void this.#parts.release();
  }

  async #close(over: HalyardError | undefined): Promise<void> {
    if (over === undefined) this.#arrived.close();
    else this.#arrived.fail(over);
    this.#leave();
    await this.#pipeline.flush();
    await this.#channel.close();
    await this.#parts.release();
  }

  #leave(): void {
    this.#isLeaving = true;
    this.#consumers.end();
    this.#held.clear();
    this.#parts.port.forget(this);
  }

  readonly #onDelivery = (raw: ConsumeMessage, consumer: Consumer): void => {
    const { deliveryTag } = raw.fields;
    this.#tags.add(deliveryTag);
    if (this.#isLeaving) return; // goes back with the channel
    const arrival = { raw, consumer };
    this.#held.set(deliveryTag, arrival);
    const dueMs = dueMsOf(raw);
    if (dueMs !== undefined && dueMs > this.#parts.port.nowMs()) void this.#passOn(arrival, dueMs);
    else if (this.#credit === 0) this.#giveBack([arrival]);
    else this.#arrived.push(arrival);
  };

  /** In the middle of a wait that takes several passes of the ladder: it goes on waiting, and neither handler nor attempt knows. */
  async #passOn(arrival: Arrival, dueMs: number): Promise<void> {
    const { port } = this.#parts;
    const { deliveryTag } = arrival.raw.fields;
    this.#tags.beginMove(deliveryTag);
    const message = fromMessage(arrival.raw, () => port.nowMs());
    const [isStored = false] = await port.store(this, [{ to: "inbox", message, delayMs: dueMs - port.nowMs(), original: arrival.raw }]).catch(() => [false]);
    if (this.#isLeaving) return;
    this.#tags.endMove(deliveryTag, isStored);
    if (isStored) {
      this.#drop(deliveryTag);
      this.#flush();
    } else this.#giveBack([arrival]); // no room for the copy now: the broker hands it over again
  }

  #deliver({ raw }: Arrival): Delivery {
    return {
      message: fromMessage(raw, () => this.#parts.port.nowMs()),
      deliveries: this.#parts.countsDeliveries ? deliveriesBefore(raw) + 1 : 1,
      receipt: raw.fields.deliveryTag,
      position: undefined,
      raw,
    };
  }

  #giveBack(arrivals: readonly Arrival[]): void {
    for (const { raw } of arrivals) this.#release(raw.fields.deliveryTag);
  }

  #release(tag: number): boolean {
    if (!this.#tags.release(tag)) return false;
    const arrival = this.#held.get(tag);
    this.#drop(tag);
    if (arrival !== undefined) this.#pipeline.send((raw) => raw.nack(arrival.raw, false, true));
    return true;
  }

  #drop(tag: number): boolean {
    const arrival = this.#held.get(tag);
    if (arrival === undefined) return true;
    this.#held.delete(tag);
    this.#consumers.settled(arrival.consumer);
    return true;
  }

  #flush(): void {
    const { upTo, single } = this.#tags.flush();
    if (upTo > 0) this.#ack(upTo, true);
    for (const tag of single) this.#ack(tag, false);
  }

  #ack(deliveryTag: number, isMultiple: boolean): void {
    // amqplib reads the tag and nothing else.
    this.#pipeline.send((raw) => raw.ack({ fields: { deliveryTag } } as ConsumeMessage, isMultiple));
  }

  /** Copies first, confirmed; then the originals go. */
  async #move(settlements: readonly Settlement[], moves: readonly number[], earlier: SettleStatus[] | undefined): Promise<readonly SettleStatus[] | undefined> {
    const { port } = this.#parts;
    const copies: Copy[] = [];
    for (const index of moves) {
      const { receipt, outcome } = settlements[index] as Settlement; // an index of this list
      if (outcome.type === "move")
        copies.push({ to: outcome.to, message: outcome.message, delayMs: outcome.delayMs, original: this.#held.get(receipt as number)?.raw });
    }
    const stored = await port.store(this, copies);
    if (port.lost !== undefined) throw port.lost;
    let statuses = earlier;
    for (const [position, index] of moves.entries()) {
      const tag = settlements[index]?.receipt as number;
      const isStored = stored[position] === true;
      const status: SettleStatus = this.#isLeaving ? "stale" : isStored ? "done" : "failed";
      this.#tags.endMove(tag, isStored);
      if (isStored) this.#drop(tag);
      if (status === "done") continue;
      statuses ??= new Array<SettleStatus>(settlements.length).fill("done");
      statuses[index] = status;
    }
    if (!this.#isLeaving) this.#flush();
    return statuses;
  }

  async #onCancel(): Promise<void> {
    if (this.#isLeaving) return;
    this.#leave();
    this.fail(await this.#parts.port.groupGone(this));
  }

  #onChannelEnd(error: Error | undefined): void {
    if (this.#isLeaving) return;
    // A queue that goes while its consumers change is not cancelled but missing.
    if (isReply(error, replies.notFound)) {
      void this.#onCancel();
      return;
    }
    const { port } = this.#parts;
    if (error === undefined) {
      this.fail(port.lost ?? lostError(undefined)); // RabbitMQ says why it closes a channel: this one went with its connection
      return;
    }
    const text = `RabbitMQ closed the channel of group ${this.group}: ${error.message}`;
    this.fail(port.lost ?? port.heldTooLong(this.group, error) ?? (isHalyardError(error) ? error : new HalyardError("BACKEND_FAILED", text, { cause: error })));
  }
}
