/**
 * Removes from the stream of topics what every group has handled. JetStream can do that by itself (retention `interest`), but a 2.9 server that stops in an
 * orderly way confirms messages for a moment longer than it remembers who is interested in them: of 91,875 messages that were confirmed to a bare client
 * over six restarts 18 were gone, with retention `limits` none of 127,748. So the stream keeps everything, and sessions take away what is of no use any more.
 *
 * What waits is never counted (a 2.9 server may count wrongly): what a group still needs begins with the first stored message above its consumer's floor
 * that passes the consumer's filter, and that message is looked up. Floors only ever lag behind, also after a crash, so what is removed was handled.
 *
 * What all have passed is purged. Beyond that messages are deleted one by one, not purged by topic: a purge with a filter changes the state of every consumer
 * whose filter takes that topic and more. 2.9.10 then forgets what such a consumer has in its members' hands, and skips what it has still to hand out
 * (measured, also where the purge removes nothing; https://github.com/nats-io/nats-server/pull/3838, 3892, 5075, and with several filters 8572 of 2026).
 */
import type { ConsumerInfo } from "@nats-io/jetstream";
import { deleteOneByOne, settledUpTo } from "./delete-one-by-one.ts";
import { takes } from "./filters.ts";
import type { JetStreamApi } from "./jetstream-api.ts";
import type { Topology } from "./names.ts";
import { Rounds, type RoundsParts } from "./rounds.ts";

/** A session looks that often while it moves messages. */
const sweepMs = 10_000;
/** Messages that one sweep deletes one by one, where some group is behind. */
const deletesMax = 5_000;

/** Everything up to `floor` that passes `filter` was handled. */
export interface Floor {
  readonly filter: readonly string[];
  readonly floor: number;
}

export interface SweeperParts extends RoundsParts {
  readonly api: JetStreamApi;
  readonly topology: Topology;
}

export class Sweeper {
  readonly #parts: SweeperParts;
  readonly #rounds: Rounds;
  #wasActive = true;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
    this.#rounds = new Rounds(parts, sweepMs, () => this.#round());
  }

  /** This session has published: there is something to look for. */
  noteActivity(): void {
    this.#wasActive = true;
  }

  /** The stream is full: room is made now, not later. */
  hurry(): void {
    this.#wasActive = true;
    this.#rounds.hurry();
  }

  /** For the watch of the session. */
  watch(nowMs: number): void {
    if (this.#wasActive) this.#rounds.watch(nowMs);
  }

  async #round(): Promise<void> {
    this.#wasActive = false;
    if (await this.sweep()) this.#wasActive = true; // what is in hand now is for the next time
  }

  /** Resolves with whether messages are left. */
  async sweep(): Promise<boolean> {
    const { api, topology } = this.#parts;
    const { stream } = topology;
    const found = await api.streamInfo(stream);
    if (found === undefined || found.state.messages === 0) return false;
    const { last_seq: last, first_seq: first } = found.state;
    const floors = await this.#floors(await api.consumers(stream), last);
    const lowest = lowestOf(floors, last);
    if (lowest >= first) await api.purgeUpTo(stream, lowest);
    if (lowest < last) await this.#sweepTopics(floors, lowest, last);
    return lowest < last;
  }

  /** A group that is behind keeps what it has still to handle, not what others have handled of other topics. */
  async #sweepTopics(floors: readonly Floor[], lowest: number, last: number): Promise<void> {
    const { api, topology } = this.#parts;
    const info = await api.streamInfo(topology.stream, `${topology.topicPrefix}>`);
    let rest = deletesMax;
    for (const subject of Object.keys(info?.state.subjects ?? {})) {
      const floor = lowestOf(floors, last, subject.slice(topology.topicPrefix.length).split("."));
      if (floor > lowest) rest -= await deleteOneByOne(api, topology.stream, { subject, after: lowest, upTo: floor, countMax: rest });
      if (rest <= 0) return;
    }
  }

  async #floors(consumers: readonly ConsumerInfo[], last: number): Promise<readonly Floor[]> {
    const { api, topology } = this.#parts;
    const asked = consumers.flatMap((consumer) => {
      const acked = settledUpTo(consumer);
      const { filter_subject: one, filter_subjects: many } = consumer.config;
      const subjects = many ?? [one === undefined || one === "" ? `${topology.topicPrefix}>` : one];
      return subjects.map((subject) => ({ subject, acked }));
    });
    return Promise.all(
      asked.map(async ({ subject, acked }) => {
        const next = acked >= last ? undefined : await api.nextOn(topology.stream, subject, acked + 1);
        return { filter: subject.slice(topology.topicPrefix.length).split("."), floor: next === undefined ? last : Math.min(last, next.sequence - 1) };
      }),
    );
  }
}

/** Up to where everything was handled by all, or by those who get `topic`. Nobody: it is of no use to anybody. */
export function lowestOf(floors: readonly Floor[], last: number, topic?: readonly string[]): number {
  let lowest = last;
  for (const { filter, floor } of floors) if (floor < lowest && (topic === undefined || takes(filter, topic))) lowest = floor;
  return lowest;
}
