/**
 * A lock that is somebody's for a time: a message on a subject of its own, stored only by who has seen what was there before (expected sequence), stored
 * again before its time is up, and deleted at the end. It names a subject that its owner listens on: who finds the lock taken asks there, and when the
 * server knows of no listener, the owner's connection has ended and its lock is taken over at once. An owner that hangs loses it when its time is up.
 * An owner that answers keeps it: a server without room does not store the lock again, and members that handle messages are what makes room.
 *
 * The owner gives up when half of the time has passed without a renewal. So whoever relies on the lock has the other half to come to an end, and is
 * through before anybody else can have it.
 */
import { type Clock, HalyardError, isHalyardError } from "@halyard/core/spi";
import { createInbox, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import { apiCodes, isNoResponders } from "./errors.ts";
import type { JetStreamApi } from "./jetstream-api.ts";
import type { Topology } from "./names.ts";
import type { Publisher } from "./publisher.ts";
import type { ServerClock } from "./server-clock.ts";

const renewalsPerLease = 6;
/** Part of the lease after which an owner that could not renew it gives up. */
export const ownShare = 0.5;
/** How long an owner may take to say that it lives. */
const askMsMax = 1_000;
const asksPerLease = 3;

export interface LockParts {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly api: JetStreamApi;
  readonly publisher: Publisher;
  readonly topology: Topology;
  readonly inboxPrefix: string;
  readonly serverClock: ServerClock;
  lookAtClock(): Promise<void>;
}

export interface LockRequest {
  /** In the inbox stream. */
  readonly subject: string;
  /** A lock that was not renewed for so long is nobody's. */
  readonly leaseMs: number;
  /** It was lost before it was released: somebody else has it, or it could not be renewed. */
  onLost?(): void;
}

export interface LeaseLock {
  readonly isHeld: boolean;
  /** For how long it is ours if it is not renewed. After that nobody else has it for as long as `leaseMs * (1 - ownShare)`. 0: it is lost. */
  readonly restMs: number;
  /** It is free when this resolves, at once if the connection lives. Rejects where the server does not answer: then it lapses by itself. */
  release(): Promise<void>;
}

/** `undefined`: somebody else has it. Rejects where the server does not say. */
export async function tryLock(request: LockRequest, parts: LockParts): Promise<LeaseLock | undefined> {
  const found = await parts.api.last(parts.topology.inbox, request.subject);
  if (found !== undefined && (await isAlive(found, parts))) return undefined;
  const lock = new OwnLock(request, parts);
  return (await lock.take(found?.sequence ?? 0)) ? lock : undefined;
}

class OwnLock implements LeaseLock {
  readonly #request: LockRequest;
  readonly #parts: LockParts;
  readonly #owner: string;
  readonly #listening: Subscription;
  /** `undefined`: it is not ours, or not any more. */
  #sequence: number | undefined;
  #untilMs = 0;
  #cancelRenewal: () => void = () => undefined;
  #cancelEnd: () => void = () => undefined;

  constructor(request: LockRequest, parts: LockParts) {
    this.#request = request;
    this.#parts = parts;
    this.#owner = createInbox(parts.inboxPrefix);
    this.#listening = parts.connection.subscribe(this.#owner, { callback: (_, message) => void message.respond() });
  }

  get isHeld(): boolean {
    return this.restMs > 0;
  }

  get restMs(): number {
    return this.#sequence === undefined ? 0 : Math.max(0, this.#untilMs - this.#parts.clock.monotonicMs());
  }

  /** False where somebody else was quicker. */
  async take(expected: number): Promise<boolean> {
    const sentMs = this.#parts.clock.monotonicMs();
    try {
      this.#sequence = await this.#store(expected);
    } catch (thrown) {
      this.#stopListening();
      throw thrown;
    }
    if (this.#sequence === undefined) {
      this.#stopListening();
      return false;
    }
    this.#noteStored(this.#sequence, sentMs);
    this.#renewLater();
    return true;
  }

  async release(): Promise<void> {
    const { api, topology, connection } = this.#parts;
    const last = this.#sequence;
    this.#forget();
    if (last !== undefined && !connection.isClosed()) await api.deleteMessage(topology.inbox, last);
  }

  #renewLater(): void {
    this.#cancelRenewal = this.#parts.clock.after(this.#request.leaseMs / renewalsPerLease, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const { connection, clock } = this.#parts;
    const expected = this.#sequence;
    if (expected === undefined || connection.isClosed()) return;
    try {
      const sentMs = clock.monotonicMs();
      const sequence = (await this.#store(expected)) ?? (await this.#ownAfter(expected));
      if (this.#sequence === undefined) return; // released or lost meanwhile
      if (sequence === undefined) this.#lose();
      else this.#noteStored(sequence, sentMs);
    } catch (thrown) {
      // No answer now: the next time may do, and if none does it gives up.
      if (isHalyardError(thrown, "BACKPRESSURE")) await this.#keepWithoutRoom(expected);
    }
    if (this.#sequence !== undefined) this.#renewLater();
  }

  /** The sequence where the server has stored what it never confirmed to us. */
  async #ownAfter(expected: number): Promise<number | undefined> {
    const { api, topology } = this.#parts;
    const found = await api.last(topology.inbox, this.#request.subject);
    if (found === undefined || found.sequence === expected || readLock(found.body)?.owner !== this.#owner) return undefined;
    return this.#store(found.sequence);
  }

  /** The server has no room for anybody's lock, and this one is still there. */
  async #keepWithoutRoom(expected: number): Promise<void> {
    const { api, topology, clock } = this.#parts;
    const sentMs = clock.monotonicMs();
    const found = await api.last(topology.inbox, this.#request.subject).catch(() => undefined); // no answer: as in #renew
    if (found?.sequence === expected && this.#sequence === expected) this.#noteStored(expected, sentMs);
  }

  #noteStored(sequence: number, sentMs: number): void {
    const { clock } = this.#parts;
    this.#sequence = sequence;
    this.#untilMs = sentMs + this.#request.leaseMs * ownShare;
    this.#cancelEnd();
    this.#cancelEnd = clock.after(Math.max(1, this.#untilMs - clock.monotonicMs()), () => this.#lose());
  }

  #lose(): void {
    if (this.#sequence === undefined) return;
    this.#forget();
    this.#request.onLost?.();
  }

  #forget(): void {
    this.#sequence = undefined;
    this.#cancelRenewal();
    this.#cancelEnd();
    this.#stopListening();
  }

  #stopListening(): void {
    if (!this.#parts.connection.isClosed()) this.#listening.unsubscribe();
  }

  /** Returns the lock's sequence, or `undefined` where somebody else was quicker. */
  async #store(expected: number): Promise<number | undefined> {
    const { subject, leaseMs } = this.#request;
    const headers = Buffer.from(`NATS/1.0\r\nNats-Rollup: sub\r\nNats-Expected-Last-Subject-Sequence: ${expected}\r\n\r\n`);
    const [status] = (await this.#parts.publisher.send([{ subject, headers, body: Buffer.from(`${this.#owner} ${leaseMs}`) }], true)) ?? [];
    if (status?.status === "accepted") return Number(status.position?.slice(status.position.lastIndexOf(":") + 1));
    if (status !== undefined && isHalyardError(status.error) && status.error.details.errorCode === apiCodes.wrongLastSequence) return undefined;
    throw status?.error ?? new HalyardError("BACKEND_FAILED", `The NATS server did not say whether it stored the lock ${subject}.`);
  }
}

async function isAlive(found: { readonly storedMs: number; readonly body: Uint8Array }, { connection, serverClock, lookAtClock }: LockParts): Promise<boolean> {
  const lock = readLock(found.body);
  if (lock === undefined) return false;
  try {
    await connection.request(lock.owner, undefined, { timeout: Math.min(askMsMax, lock.leaseMs / asksPerLease) });
    return true;
  } catch (thrown) {
    if (isNoResponders(thrown)) return false;
    if (serverClock.isOld) await lookAtClock();
    return found.storedMs + lock.leaseMs >= (serverClock.nowMs() ?? 0);
  }
}

/** `undefined`: no lock of ours. */
function readLock(body: Uint8Array): { readonly owner: string; readonly leaseMs: number } | undefined {
  const [, owner, leaseMs] = /^([A-Za-z0-9_.-]+) (\d{1,9}(?:\.\d+)?)$/.exec(new TextDecoder().decode(body)) ?? [];
  return owner === undefined ? undefined : { owner, leaseMs: Number(leaseMs) };
}
