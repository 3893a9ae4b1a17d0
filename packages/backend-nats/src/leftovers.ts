/**
 * Removes from the inbox what was settled and is stored all the same. A server deletes what is acked (retention `workqueue`); but where the definition of a
 * group lies at the head of the stream, a 2.9 server writes down acks ten times a second and deletions only some seconds later. One that is killed in between
 * finds messages again that its consumers know as settled: nobody gets them, nobody deletes them, and they count as delayed for ever (2.9.10, 300 messages
 * acked and the server killed: a second later 300 were stored again, three seconds later 2, ten seconds later none).
 *
 * A message is left over where it passes the filter of a consumer and is not above what that consumer has seen settled. Floors only ever lag behind, also
 * after a crash, so what is removed was settled. It is deleted one by one: a purge by subject may change consumers, see `sweeper.ts`.
 */
import { AckPolicy, type ConsumerInfo } from "@nats-io/jetstream";
import { deleteOneByOne, settledUpTo } from "./delete-one-by-one.ts";
import { takes } from "./filters.ts";
import { classOfDurable, classSubject, readySubject, waitSubject } from "./names.ts";
import { Rounds, type RoundsParts } from "./rounds.ts";
import { type Looked, Unseen, type UnseenParts } from "./unseen.ts";

/** A session with members looks that often. */
const lookMs = 20_000;
/** Messages that one look deletes. */
const deletesMax = 5_000;

export interface LeftoversParts extends UnseenParts, RoundsParts {}

export class Leftovers {
  readonly #parts: LeftoversParts;
  readonly #unseen: Unseen;
  readonly #rounds: Rounds;

  constructor(parts: LeftoversParts) {
    this.#parts = parts;
    this.#unseen = new Unseen(parts);
    this.#rounds = new Rounds(parts, lookMs, () => this.remove());
  }

  /** For the watch of the session. */
  watch(nowMs: number): void {
    this.#rounds.watch(nowMs);
  }

  /** Resolves with how many messages it has deleted, or stored again where the server does not see them. */
  async remove(): Promise<number> {
    const { api, topology } = this.#parts;
    const { inbox } = topology;
    // What is asked first bounds what is touched: a stream that is made again meanwhile counts from one, and all in it is newer.
    const waits = await api.streamInfo(inbox, waitSubject(topology, "*", "*"));
    const ready = await api.streamInfo(inbox, readySubject(topology, "*"));
    const subjects = [waits, ready].flatMap((info) => Object.entries(info?.state.subjects ?? {}));
    if (waits === undefined || subjects.length === 0) return 0;
    const { first_seq: first, last_seq: last, last_ts: lastTime } = waits.state;
    const storedMsMax = Date.parse(lastTime);
    const looked = await this.#look(subjects);
    let rest = deletesMax;
    for (const { info, filter } of looked) {
      const upTo = Math.min(settledUpTo(info), last);
      rest -= await deleteOneByOne(api, inbox, { subject: filter.join("."), after: 0, upTo, storedMsMax, countMax: rest });
      if (rest <= 0) break;
    }
    // Where something was deleted the numbers are not true any more: the rest is for the next look.
    return rest < deletesMax ? deletesMax - rest : this.#unseen.handOutAgain(looked, first, storedMsMax);
  }

  /** The consumers for which something is stored. */
  async #look(subjects: readonly (readonly [string, number])[]): Promise<readonly Looked[]> {
    const { api, topology } = this.#parts;
    return (await api.consumers(topology.inbox)).flatMap((info) => {
      const filter = this.#subjectOf(info)?.split(".");
      if (filter === undefined) return [];
      const stored = subjects.reduce((sum, [subject, count]) => (takes(filter, subject.split(".")) ? sum + count : sum), 0);
      return stored === 0 ? [] : [{ info, filter, stored }];
    });
  }

  /** What a consumer of ours takes. One that somebody else made may pass messages by that it gave up, or was never to hand out. */
  #subjectOf({ name, config: { filter_subject: subject, ack_policy, max_deliver = -1 } }: ConsumerInfo): string | undefined {
    const { topology } = this.#parts;
    const delayClass = classOfDurable(name);
    const own = delayClass === undefined ? readySubject(topology, name) : classSubject(topology, delayClass);
    return subject === own && ack_policy === AckPolicy.Explicit && max_deliver <= 0 ? subject : undefined;
  }
}
