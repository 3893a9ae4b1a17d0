/**
 * Whose turn it is in an exclusive group: a lock (`lease-lock.ts`), for which every member waits. Only who holds it asks for messages, and before it asks it
 * gives back what the one before it held, so that this comes first and in its order. Who leaves tells the others; that somebody is gone without a word they
 * find out by asking.
 *
 * Members that are not exclusive compete beside the active one. They answer when asked; then nothing is given back for others, or it would be taken from them.
 */
import type { Subscription } from "@nats-io/transport-node";
import { isNoResponders } from "./errors.ts";
import { giveBackOfOthers } from "./give-back.ts";
import { consumersOf, type GroupRecord } from "./group-record.ts";
import { type LeaseLock, type LockParts, ownShare, tryLock } from "./lease-lock.ts";
import { memberSubject, turnSubject } from "./names.ts";

/** A turn lasts for so much of `ack_wait` without a sign: when a member hangs, the next one is there before the server hands out anew what it held. */
const turnShare = 0.8;
const turnMsMax = 20_000;
/** How often those who wait look whether the active member is still there. */
const lookMsMax = 1_000;
const looksPerTurn = 6;

/** How long a turn lasts without a sign. */
const turnMs = (ackWaitMs: number): number => Math.min(turnMsMax, ackWaitMs * turnShare);

/** How long a member may rely on having the turn, from any moment at which it has it. */
export const turnLeaseMs = (ackWaitMs: number): number => Math.floor(turnMs(ackWaitMs) * (1 - ownShare));

export interface TurnParts extends LockParts {
  readonly group: string;
  readonly ackWaitMs: number;
  readonly requestTimeoutMs: number;
  record(): GroupRecord;
  /** It is this member's turn, and what the last one held is back. */
  onTaken(): void;
  /** Somebody else may have it soon. */
  onLost(): void;
}

export class Turn {
  readonly #parts: TurnParts;
  readonly #told: Subscription;
  readonly #toldSubject: string;
  #lock: LeaseLock | undefined;
  #takenMs = 0;
  #isReady = false;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(parts: TurnParts) {
    this.#parts = parts;
    this.#toldSubject = memberSubject(parts, parts.topology, "turn", parts.group);
    this.#told = parts.connection.subscribe(this.#toldSubject, { callback: () => this.#wake() });
  }

  /** For how long this member may ask for messages. 0: it is not its turn. */
  get restMs(): number {
    return this.#isReady ? (this.#lock?.restMs ?? 0) : 0;
  }

  /** Resolves when the lock was tried once, and goes on trying. Rejects where the server refuses that. */
  async start(): Promise<void> {
    try {
      await this.#take();
    } catch (thrown) {
      await this.end();
      throw thrown;
    }
    void this.#run();
  }

  /** Lets the next one have it. What this member holds must be back by then. */
  async end(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wake();
    if (!this.#parts.connection.isClosed()) this.#told.unsubscribe();
    await this.#release();
  }

  async #run(): Promise<void> {
    const { connection, ackWaitMs } = this.#parts;
    const pauseMs = Math.min(lookMsMax, turnMs(ackWaitMs) / looksPerTurn);
    while (!this.#isOver && !connection.isClosed()) {
      try {
        await this.#take();
        if (this.#lock !== undefined) await this.#takeOver(this.#lock);
        if (this.#isReady) return;
      } catch {
        // What the server does not say now it says the next time; a permission that is missing was told by `start`.
      }
      await this.#pause(pauseMs);
    }
  }

  async #take(): Promise<void> {
    if (this.#lock !== undefined) return;
    const { topology, group, ackWaitMs } = this.#parts;
    this.#lock = await tryLock({ subject: turnSubject(topology, group), leaseMs: turnMs(ackWaitMs), onLost: () => this.#lose() }, this.#parts);
    this.#takenMs = this.#parts.clock.monotonicMs();
    if (this.#isOver) await this.#release();
  }

  /** Begins with what the last one held: given back, or taken back by the server when its time is over. */
  async #takeOver(lock: LeaseLock): Promise<void> {
    const { clock, ackWaitMs } = this.#parts;
    const isBack = await this.#giveBack(lock).catch(() => false); // no answer, or no consumer now: the next time may do
    if (!lock.isHeld || (!isBack && clock.monotonicMs() < this.#takenMs + ackWaitMs)) return;
    this.#isReady = true;
    this.#parts.onTaken();
  }

  async #giveBack(lock: LeaseLock): Promise<boolean> {
    const { api, topology, connection, group, requestTimeoutMs: timeoutMs } = this.#parts;
    const isWanted = (): boolean => lock.isHeld;
    const isAlone = async (): Promise<boolean> => !(await this.#hasRivals());
    const consumers = consumersOf(topology, group, this.#parts.record());
    const areBack = await Promise.all(consumers.map((consumer) => giveBackOfOthers(api, consumer, { connection, timeoutMs, isWanted, isAlone })));
    return !areBack.includes(false);
  }

  /** Members that are not exclusive. One that does not answer is one. */
  async #hasRivals(): Promise<boolean> {
    const { connection, topology, group, requestTimeoutMs: timeout } = this.#parts;
    try {
      await connection.request(memberSubject(this.#parts, topology, "beside", group), undefined, { timeout });
      return true;
    } catch (thrown) {
      if (isNoResponders(thrown)) return false;
      if (connection.isClosed()) throw thrown;
      return true;
    }
  }

  #lose(): void {
    this.#lock = undefined;
    if (this.#isReady && !this.#isOver) this.#parts.onLost();
  }

  async #release(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    const { connection } = this.#parts;
    if (lock === undefined) return;
    await lock.release().catch(() => undefined); // it lapses by itself
    if (!connection.isClosed()) connection.publish(this.#toldSubject);
  }

  #pause(pauseMs: number): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.after(pauseMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
