/**
 * Moves what has waited long enough from its class into its group's inbox. All sessions that have groups share one durable consumer a class, so a message
 * waits in the hands of one of them, and goes to another when that one dies. Of each class only the head is held while it is not due; when it is, what
 * follows is fetched in larger bites until one is not due again.
 *
 * Moving is a confirmed publish under an id made of the message's own place, then an ack: a crash in between moves it once, because the server knows the
 * id, or twice under one message id after the dedup window.
 */
import { type Clock, type HalyardError, isHalyardError } from "@halyard/core/spi";
import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { AckSubject } from "./ack-subject.ts";
import { delayClassMax, delayClassOf, lookAtMs } from "./delays.ts";
import type { JetStreamApi } from "./jetstream-api.ts";
import { classDurable, classOfDurable, classSubject, readySubject, type Topology, waitSubject } from "./names.ts";
import { readMessage } from "./native-message.ts";
import type { Publisher } from "./publisher.ts";
import { PullSource } from "./pull-source.ts";
import { inProgress, nak, Receipt } from "./receipts.ts";
import type { RoundTrips } from "./round-trips.ts";
import type { ServerClock } from "./server-clock.ts";
import { copyId, encodeHeaders } from "./wire.ts";

/** A session that holds the head of a class and dies delays it by so much at most. */
const holdMs = 3_000;
const holdNs = holdMs * 1_000_000;
/** Fetched at once while messages are due. */
const biteMax = 64;
const retryDelayMs = 500;

export interface MoverParts {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly roundTrips: RoundTrips;
  readonly api: JetStreamApi;
  readonly publisher: Publisher;
  readonly topology: Topology;
  readonly inboxPrefix: string;
  readonly apiPrefix: string;
  readonly serverClock: ServerClock;
  readonly random: () => number;
  /** Looks at the server's clock again. */
  lookAtClock(): Promise<void>;
  /** The incarnation of a group; `undefined` where it was removed, and what waits for it is dropped; `"unknown"` where nobody knows. */
  incarnationOf(group: string): Promise<string | undefined>;
  /** Others hear that a class is in use. */
  announce(delayClass: number): void;
  warn(text: string, error: HalyardError): void;
}

interface Held {
  readonly message: Msg;
  readonly receipt: Receipt;
  readonly group: string;
  readonly incarnation: string | undefined;
  readonly storedMs: number;
  readonly dueMs: number;
  readonly lookMs: number;
}

export class Mover {
  readonly #parts: MoverParts;
  readonly #lines = new Map<number, ClassLine>();
  /** Classes whose consumer is there. */
  readonly #ready = new Map<number, Promise<void>>();
  #isRunning = false;
  #isOver = false;

  constructor(parts: MoverParts) {
    this.#parts = parts;
  }

  /** The first group of this session: take part in moving. Resolves when all classes in use are known. */
  async start(): Promise<void> {
    if (this.#isRunning) return;
    if (this.#parts.serverClock.isOld) await this.#parts.lookAtClock();
    this.#isRunning = true; // from here on it joins what it hears of, so no class falls between the list and the hints
    try {
      for (const name of await this.#parts.api.consumerNames(this.#parts.topology.inbox)) {
        const delayClass = classOfDurable(name);
        if (delayClass !== undefined && delayClass <= delayClassMax) this.join(delayClass);
      }
    } catch (thrown) {
      this.#isRunning = false; // the next group that comes looks again
      throw thrown;
    }
    for (const delayClass of this.#ready.keys()) this.join(delayClass);
  }

  /** Resolves when what is stored in the class will be moved. */
  ensure(delayClass: number): Promise<void> {
    let making = this.#ready.get(delayClass);
    if (making === undefined) {
      making = this.#make(delayClass);
      this.#ready.set(delayClass, making);
      making.catch(() => this.#ready.delete(delayClass));
    }
    return making;
  }

  /** The class is in use, here or elsewhere. */
  join(delayClass: number): void {
    if (!this.#isRunning || this.#isOver || this.#lines.has(delayClass)) return;
    const line = new ClassLine(delayClass, this.#parts, this);
    this.#lines.set(delayClass, line);
    line.start();
  }

  watch(nowMs: number): void {
    for (const line of this.#lines.values()) line.watch(nowMs);
  }

  /** What is in the hands of this session. */
  *receipts(): Iterable<Receipt> {
    for (const line of this.#lines.values()) yield* line.receipts();
  }

  /** Gives back what is held, where there is still a connection. */
  async close(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#lines.values()].map((line) => line.close()));
  }

  async #make(delayClass: number): Promise<void> {
    const { api, topology } = this.#parts;
    await api.addConsumer(topology.inbox, {
      durable_name: classDurable(delayClass),
      filter_subject: classSubject(topology, delayClass),
      ack_policy: AckPolicy.Explicit,
      ack_wait: holdNs,
      max_deliver: -1,
      max_ack_pending: -1,
      deliver_policy: DeliverPolicy.All,
    });
    this.#parts.announce(delayClass);
    this.join(delayClass);
  }

  /** Its consumer is gone. */
  async remake(delayClass: number): Promise<void> {
    this.#ready.delete(delayClass);
    await this.ensure(delayClass);
  }
}

class ClassLine {
  readonly #delayClass: number;
  readonly #parts: MoverParts;
  readonly #source: PullSource;
  readonly #mover: Pick<Mover, "ensure" | "remake">;
  /** In the order of the stream. */
  #held: Held[] = [];
  #isMoving = false;
  #isOver = false;
  #cancelTimer: (() => void) | undefined;
  #cancelSigns: (() => void) | undefined;

  constructor(delayClass: number, parts: MoverParts, mover: Pick<Mover, "ensure" | "remake">) {
    this.#delayClass = delayClass;
    this.#parts = parts;
    this.#mover = mover;
    const { connection, clock, roundTrips, inboxPrefix, apiPrefix, topology } = parts;
    this.#source = new PullSource({
      connection,
      roundTrips,
      clock,
      inboxPrefix,
      apiPrefix,
      stream: topology.inbox,
      durable: classDurable(delayClass),
      onMessage: (message, ack) => this.#take(message, ack),
      onEmpty: () => this.#look(),
      onGone: () => this.#again(),
    });
  }

  start(): void {
    this.#source.pull(1);
  }

  watch(nowMs: number): void {
    this.#source.watch(nowMs);
  }

  *receipts(): Iterable<Receipt> {
    for (const { receipt } of this.#held) yield receipt;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#cancelTimer?.();
    this.#cancelSigns?.();
    await this.#source.cancel();
    if (!this.#parts.connection.isClosed()) for (const { receipt } of this.#held) this.#parts.connection.publish(receipt.reply, nak);
    this.#held = [];
  }

  #take(message: Msg, ack: AckSubject): void {
    const { topology, clock } = this.#parts;
    const group = message.subject.slice(message.subject.lastIndexOf(".") + 1);
    const { delayMs = 0, incarnation } = readMessage(message, 0, () => `${topology.inbox}:${ack.sequence}`);
    const receipt = new Receipt(message.reply ?? "", `${topology.inbox}-${ack.sequence}`, "", clock.monotonicMs() + holdMs);
    const dueMs = ack.storedMs + delayMs;
    this.#held.push({ message, receipt, group, incarnation, storedMs: ack.storedMs, dueMs, lookMs: lookAtMs(this.#delayClass, ack.storedMs, dueMs) });
    this.#cancelSigns ??= clock.after(holdMs / 3, this.#sign);
    queueMicrotask(() => this.#look());
  }

  /** Keeps what is held from being handed to another. */
  readonly #sign = (): void => {
    const { connection, clock } = this.#parts;
    this.#cancelSigns = undefined;
    if (this.#isOver || this.#held.length === 0 || connection.isClosed()) return;
    for (const { receipt } of this.#held) {
      connection.publish(receipt.reply, inProgress);
      receipt.leaseUntilMs = clock.monotonicMs() + holdMs;
    }
    this.#cancelSigns = clock.after(holdMs / 3, this.#sign);
  };

  /** Moves what is due, waits for what is not, and asks for more when nothing is held. */
  #look(): void {
    if (this.#isOver || this.#isMoving) return;
    const { clock, serverClock, connection } = this.#parts;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#held.length === 0) {
      if (this.#source.outstanding === 0 && !connection.isClosed()) this.#source.pull(1);
      return;
    }
    if (serverClock.isOld) {
      this.#hold(this.#parts.lookAtClock());
      return;
    }
    const nowMs = serverClock.nowMs() ?? 0;
    const due = this.#held.filter(({ lookMs }) => lookMs <= nowMs);
    if (due.length > 0) {
      this.#hold(this.#move(due));
      return;
    }
    const soonestMs = this.#held.reduce((least, { lookMs }) => Math.min(least, lookMs), Number.POSITIVE_INFINITY);
    this.#cancelTimer = clock.after(Math.max(1, Math.ceil(soonestMs - nowMs)), () => this.#look());
  }

  #hold(work: Promise<void>): void {
    this.#isMoving = true;
    work.then(
      () => {
        this.#isMoving = false;
        this.#look();
      },
      (thrown: unknown) => {
        this.#isMoving = false;
        if (this.#isOver || this.#parts.connection.isClosed()) return;
        if (isHalyardError(thrown)) this.#parts.warn("A delayed message could not be moved; it is tried again.", thrown);
        this.#cancelTimer = this.#parts.clock.after(retryDelayMs, () => this.#look());
      },
    );
  }

  async #move(due: readonly Held[]): Promise<void> {
    const { publisher, topology, connection, serverClock } = this.#parts;
    const kept = await this.#withGroup(due);
    const done = new Set<Held>(due.filter((held) => !kept.includes(held)));
    const nowMs = serverClock.nowMs() ?? 0;
    const frames = kept.map(({ message, receipt, group, incarnation, dueMs }) => {
      const wire = readMessage(message, 0, () => receipt.move).message;
      const restMs = Math.max(0, Math.ceil(dueMs - nowMs));
      const copy = restMs === 0 ? { topic: wire.topic } : { topic: wire.topic, delayMs: restMs, incarnation };
      const subject = restMs === 0 ? readySubject(topology, group) : waitSubject(topology, delayClassOf(restMs), group);
      return { subject, headers: encodeHeaders(wire, copyId(wire, group, receipt.move), copy), body: wire.body };
    });
    for (const { dueMs } of kept) if (dueMs > nowMs) await this.#ensureFor(dueMs - nowMs);
    const statuses = await publisher.send(frames);
    let failure: Error | undefined;
    for (const [index, held] of kept.entries()) {
      const status = statuses?.[index];
      if (status === undefined || status.status === "accepted") done.add(held);
      else failure = status.error;
    }
    for (const { receipt } of done) connection.publish(receipt.reply);
    this.#held = this.#held.filter((held) => !done.has(held));
    if (failure !== undefined) throw failure;
    // More may be due: what follows is fetched in one bite, and what is not due of it is held as the new head.
    if (this.#held.length === 0 && this.#source.outstanding === 0) this.#source.pull(biteMax, { noWait: true });
  }

  /** Those whose group is still the one that they wait for. */
  async #withGroup(due: readonly Held[]): Promise<readonly Held[]> {
    const groups = [...new Set(due.map(({ group }) => group))];
    const incarnations = new Map(await Promise.all(groups.map(async (group) => [group, await this.#parts.incarnationOf(group)] as const)));
    return due.filter(({ group, incarnation }) => {
      const current = incarnations.get(group);
      return current === "unknown" || (current !== undefined && (incarnation === undefined || incarnation === current));
    });
  }

  async #ensureFor(restMs: number): Promise<void> {
    const delayClass = delayClassOf(restMs);
    if (delayClass !== this.#delayClass) await this.#mover.ensure(delayClass);
  }

  #again(): void {
    if (this.#isOver) return;
    void this.#mover.remake(this.#delayClass).then(
      () => this.#look(),
      () => {
        if (!this.#isOver) this.#cancelTimer = this.#parts.clock.after(retryDelayMs, () => this.#again());
      },
    );
  }
}
