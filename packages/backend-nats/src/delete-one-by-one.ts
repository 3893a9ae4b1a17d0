/** Removing what was settled without touching what was not: message by message, see `sweeper.ts` for why not by a purge of a subject. */
import type { ConsumerInfo } from "@nats-io/jetstream";
import type { JetStreamApi } from "./jetstream-api.ts";

/** Asked for without waiting for the answers in between. */
const deletesAtOnceMax = 64;

export interface Settled {
  /** May have wildcards. */
  readonly subject: string;
  /** Sequences: above the one, up to and with the other. */
  readonly after: number;
  readonly upTo: number;
  /** What was stored later stays. */
  readonly storedMsMax?: number;
  readonly countMax: number;
}

/** Up to where a consumer has seen settled what is its own. With nothing in anybody's hands, all that it has passed was, or was never for it. */
export function settledUpTo({ ack_floor, delivered, num_ack_pending }: ConsumerInfo): number {
  return num_ack_pending === 0 ? delivered.stream_seq : ack_floor.stream_seq;
}

/** Returns how many messages it has deleted. */
export async function deleteOneByOne(api: JetStreamApi, stream: string, settled: Settled): Promise<number> {
  const { subject, after, upTo, storedMsMax = Number.POSITIVE_INFINITY, countMax } = settled;
  let open: Promise<void>[] = [];
  let count = 0;
  for (let from = after + 1; from <= upTo && count < countMax; count++) {
    const found = await api.nextOn(stream, subject, from);
    if (found === undefined || found.sequence > upTo || found.storedMs > storedMsMax) break;
    const deleting = api.deleteMessage(stream, found.sequence);
    deleting.catch(() => undefined); // heard below, unless the next look-up fails first
    open.push(deleting);
    if (open.length >= deletesAtOnceMax) {
      await Promise.all(open);
      open = [];
    }
    from = found.sequence + 1;
  }
  await Promise.all(open);
  return count;
}
