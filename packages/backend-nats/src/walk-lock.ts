/**
 * One walk over a group's dead letters at a time. The lock is a message on a subject of its own, stored only where none is there (expected sequence), and
 * deleted at the end. It names a subject that its owner listens on: who finds the lock taken asks there, and when the server knows of no listener, the
 * owner's connection has ended and its lock is taken over at once. An owner that hangs loses it when it stops renewing.
 */
import { type Clock, HalyardError, isHalyardError } from "@halyard/core/spi";
import { createInbox, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import { apiCodes } from "./errors.ts";
import type { JetStreamApi } from "./jetstream-api.ts";
import { lockSubject, type Topology } from "./names.ts";
import type { Publisher } from "./publisher.ts";
import type { ServerClock } from "./server-clock.ts";

/** A lock that was not renewed for so long is nobody's. */
const lockMs = 15_000;
const renewMs = 5_000;
/** How long an owner may take to say that it lives. */
const askMs = 1_000;

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

export interface Lock {
  /** False when somebody else has taken it over. */
  readonly isHeld: () => boolean;
  release(): Promise<void>;
}

/** Rejects with `BUSY` where somebody walks already. */
export async function takeLock(group: string, parts: LockParts): Promise<Lock> {
  const { connection, clock, api, topology, inboxPrefix } = parts;
  const owner = createInbox(inboxPrefix);
  const found = await api.last(topology.inbox, lockSubject(topology, group));
  if (found !== undefined && (await isAlive(found, parts))) throw busy(group);
  const listening: Subscription = connection.subscribe(owner, { callback: (_, message) => void message.respond() });
  let sequence: number | undefined;
  try {
    sequence = await store(group, owner, found?.sequence ?? 0, parts);
  } catch (thrown) {
    listening.unsubscribe();
    throw thrown;
  }
  if (sequence === undefined) {
    listening.unsubscribe();
    throw busy(group);
  }
  let current: number | undefined = sequence;
  let cancelRenewal: () => void = () => undefined;
  const renew = (): void => {
    cancelRenewal = clock.after(renewMs, () => {
      if (current === undefined || connection.isClosed()) return;
      void store(group, owner, current, parts).then(
        (next) => {
          current = next;
          renew();
        },
        () => renew(), // no answer now: the next time may do
      );
    });
  };
  renew();
  return {
    isHeld: () => current !== undefined,
    async release() {
      cancelRenewal();
      const last = current;
      current = undefined;
      if (connection.isClosed()) return;
      listening.unsubscribe();
      if (last !== undefined) await api.deleteMessage(topology.inbox, last);
    },
  };
}

/** Returns the lock's sequence, or `undefined` where somebody else was quicker. */
async function store(group: string, owner: string, expected: number, { publisher, topology }: LockParts): Promise<number | undefined> {
  const headers = Buffer.from(`NATS/1.0\r\nNats-Rollup: sub\r\nNats-Expected-Last-Subject-Sequence: ${expected}\r\n\r\n`);
  const [status] = (await publisher.send([{ subject: lockSubject(topology, group), headers, body: Buffer.from(owner) }], true)) ?? [];
  if (status?.status === "accepted") return Number(status.position?.slice(status.position.lastIndexOf(":") + 1));
  if (status !== undefined && isHalyardError(status.error) && status.error.details.errorCode === apiCodes.wrongLastSequence) return undefined;
  throw status?.error ?? busy(group);
}

async function isAlive(found: { readonly storedMs: number; readonly body: Uint8Array }, parts: LockParts): Promise<boolean> {
  const { connection, serverClock, lookAtClock } = parts;
  if (serverClock.isOld) await lookAtClock();
  if (found.storedMs + lockMs < (serverClock.nowMs() ?? 0)) return false;
  const owner = new TextDecoder().decode(found.body);
  if (!/^[A-Za-z0-9_.-]+$/.test(owner)) return false; // no lock of ours
  try {
    await connection.request(owner, undefined, { timeout: askMs });
    return true;
  } catch (thrown) {
    const isUnknown = thrown instanceof Error && (thrown.name === "NoResponders" || (thrown.cause instanceof Error && thrown.cause.name === "NoResponders"));
    return !isUnknown;
  }
}

const busy = (group: string): HalyardError => new HalyardError("BUSY", `Somebody walks the dead letters of ${group} already: try again later.`);
