/**
 * Hands out again what the server has in the inbox and does not see. It finds the messages of a subject by what it remembers of their first and last place.
 * When the last one is deleted 2.9.10 goes on taking its place for the last; when only one other is left it takes that place for the first as well, and finds
 * nothing before it (14 of 168 orders in which three or four messages of one subject were deleted). Acks delete, and handlers do not end in order. Whoever
 * has the message does not notice; but a consumer that begins anew, or whose last acks went with the server, passes it by, and nobody ever gets it.
 *
 * Looking for whatever comes next finds it. It is stored again behind the others, under an id made of its own place, and then deleted: done twice it is
 * stored once, a crash in between repeats it at worst (decision 0018). What was settled and forgotten to be deleted looks the same where the server does not see it
 * (`leftovers.ts` removes what it sees), and is handled again.
 */
import type { ConsumerInfo } from "@nats-io/jetstream";
import { settledUpTo } from "./delete-one-by-one.ts";
import { takes } from "./filters.ts";
import type { JetStreamApi, StoredRaw } from "./jetstream-api.ts";
import type { Topology } from "./names.ts";
import { headText } from "./native-message.ts";
import type { Publisher } from "./publisher.ts";
import type { ServerClock } from "./server-clock.ts";

/** Messages that one look walks over. */
const walkMax = 2_000;

/** A consumer of the inbox, as it was when it was looked at. */
export interface Looked {
  readonly info: ConsumerInfo;
  readonly filter: readonly string[];
  /** Messages that pass its filter. */
  readonly stored: number;
}

export interface UnseenParts {
  readonly api: JetStreamApi;
  readonly publisher: Pick<Publisher, "send">;
  readonly topology: Topology;
  readonly serverClock: Pick<ServerClock, "nowMs">;
}

export class Unseen {
  readonly #parts: UnseenParts;
  /** Sequences that were unseen at the last look. Only what is so twice is handed out again: it may have been on its way. */
  #candidates: ReadonlySet<number> = new Set();

  constructor(parts: UnseenParts) {
    this.#parts = parts;
  }

  /** `first`: sequence of the first message stored; `storedMsMax`: when the last one was, before the consumers were looked at. Returns how many it has stored again. */
  async handOutAgain(consumers: readonly Looked[], first: number, storedMsMax: number): Promise<number> {
    const suspects = consumers.filter(mayHavePassed);
    const candidates = new Set<number>();
    let count = 0;
    let from = first;
    for (let looks = 0; suspects.length > 0 && looks < walkMax; looks++) {
      const found = await this.#parts.api.nextOn(this.#parts.topology.inbox, ">", from);
      if (found === undefined || found.storedMs > storedMsMax) break;
      from = found.sequence + 1;
      const words = found.subject.split(".");
      if (!suspects.some(({ info, filter }) => takes(filter, words) && isPassed(info, found.sequence))) continue;
      if (!this.#candidates.has(found.sequence)) candidates.add(found.sequence);
      else if (await this.#storeAgain(found)) count++;
    }
    this.#candidates = candidates;
    return count;
  }

  async #storeAgain({ subject, sequence, storedMs, headers: stored, body }: StoredRaw): Promise<boolean> {
    const { api, publisher, topology, serverClock } = this.#parts;
    const waitedMs = Math.max(0, (serverClock.nowMs() ?? storedMs) - storedMs);
    const fields = (headText(stored) || "NATS/1.0\r\n")
      .replace(/^Nats-Msg-Id:.*\r\n/m, "")
      .replace(/^halyard-delay: (\d+)\r$/m, (_, delayMs: string) => `halyard-delay: ${Math.max(0, Math.ceil(Number(delayMs) - waitedMs))}\r`);
    const headers = Buffer.from(`${fields}Nats-Msg-Id: ${topology.inbox}-${sequence}/again\r\n\r\n`);
    const [status] = (await publisher.send([{ subject, headers, body }])) ?? [];
    if (status !== undefined && status.status !== "accepted") return false;
    await api.deleteMessage(topology.inbox, sequence);
    return true;
  }
}

/** Members ask and get nothing although something waits. */
const isAskedInVain = ({ num_waiting, num_pending }: ConsumerInfo): boolean => num_waiting > 0 && num_pending > 0;

/** So, or nobody has anything and more is stored than waits. */
function mayHavePassed({ info, stored }: Looked): boolean {
  return stored > 0 && (isAskedInVain(info) || (info.num_ack_pending === 0 && stored > info.num_pending));
}

function isPassed(info: ConsumerInfo, sequence: number): boolean {
  return sequence > info.delivered.stream_seq ? isAskedInVain(info) : sequence <= settledUpTo(info);
}
