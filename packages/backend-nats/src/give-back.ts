/**
 * What was handed over and not settled goes back to its consumer in the order of the stream, and before anything that is asked for afterwards. A server
 * hands out what it got back in the order in which it got it back, and before what is new; but it takes requests for messages while it still works on what
 * comes back. It does the latter one by one and answers where it is asked to, so the answer to the last one says that all are there (measured on 2.9.10).
 */
import type { ConsumerInfo } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { parseAckSubject, placeOf } from "./ack-subject.ts";
import { fromRequest } from "./errors.ts";
import type { JetStreamApi } from "./jetstream-api.ts";
import { inProgress, nak } from "./receipts.ts";

/** Messages of other topics lie between those that somebody held; beyond so many places the rest is left to the server, when `ack_wait` is over. */
const placesMax = 250_000;
/** Given back between two answers of the server. */
const biteMax = 5_000;

export interface GiveBackParts {
  readonly connection: NatsConnection;
  readonly timeoutMs: number;
  /** False: it is somebody else's now, and nothing more may be given back. */
  isWanted(): boolean;
}

/** Gives back what we hold, named by the reply subjects. Resolves when all of it will come before what is new. */
export async function giveBackInOrder(replies: readonly string[], parts: GiveBackParts): Promise<void> {
  const consumers = new Map<string, { readonly reply: string; readonly sequence: number }[]>();
  for (const reply of replies) {
    const place = placeOf(reply).join(" ");
    const entry = { reply, sequence: parseAckSubject(reply)?.sequence ?? 0 };
    const others = consumers.get(place);
    if (others === undefined) consumers.set(place, [entry]);
    else others.push(entry);
  }
  await Promise.all(
    [...consumers.values()].map(async (entries) => {
      const inOrder = entries.sort((one, other) => one.sequence - other.sequence).map(({ reply }) => reply);
      await giveBackAll(inOrder, parts);
    }),
  );
}

/**
 * Gives back what anybody holds of a consumer's messages, for a new owner; nothing where somebody else may rightly hold some. Resolves with false where
 * there is more between the first and the last of them than can be gone through.
 */
export async function giveBackOfOthers(
  api: JetStreamApi,
  { stream, durable }: { readonly stream: string; readonly durable: string },
  parts: GiveBackParts & { isAlone(): Promise<boolean> },
): Promise<boolean> {
  // Asking also makes the server forget the requests of who is gone, see `pull-source.ts`.
  const before = await api.consumerInfo(stream, durable);
  if (before === undefined || before.num_ack_pending === 0) return true;
  await answerTo(ackSubject(before, stream, durable, before.delivered.stream_seq), inProgress, parts); // acks on their way are through by then
  const info = await api.consumerInfo(stream, durable);
  if (info === undefined || info.num_ack_pending === 0) return true;
  // Asked last: who comes after it can only hold what is newer than what we have read.
  if (!(await parts.isAlone())) return true;
  const first = info.ack_floor.stream_seq + 1;
  const count = info.delivered.stream_seq - first + 1;
  if (count > placesMax) return false;
  // What nobody holds is skipped by the server.
  await giveBackAll(
    Array.from({ length: count }, (_, index) => ackSubject(info, stream, durable, first + index)),
    parts,
  );
  return true;
}

async function giveBackAll(inOrder: readonly string[], parts: GiveBackParts): Promise<void> {
  for (const [index, reply] of inOrder.entries()) {
    if (!parts.isWanted()) return;
    if (index === inOrder.length - 1 || index % biteMax === biteMax - 1) await answerTo(reply, nak, parts);
    else parts.connection.publish(reply, nak);
  }
}

async function answerTo(subject: string, what: string, { connection, timeoutMs }: GiveBackParts): Promise<void> {
  try {
    await connection.request(subject, what, { timeout: timeoutMs });
  } catch (thrown) {
    throw fromRequest(thrown, "Giving messages back");
  }
}

/** As if it had been delivered last: the server looks only at the sequence in the stream, and whether the other one was ever given out. */
const ackSubject = ({ delivered }: ConsumerInfo, stream: string, durable: string, sequence: number): string =>
  `$JS.ACK.${stream}.${durable}.1.${sequence}.${delivered.consumer_seq}.0.0`;
