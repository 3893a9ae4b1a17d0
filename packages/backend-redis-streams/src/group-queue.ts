/** What one session knows of one group: its members here, how much they may still fetch, and who gets what has arrived. */
import type { TopicPattern } from "@halyard/core/spi";
import type { GroupSubscription } from "./group-subscription.ts";
import { readMessage } from "./wire.ts";

/** An entry as it arrived. */
export interface Entry {
  readonly id: string;
  readonly deliveries: number;
  readonly values: readonly Buffer[];
}

export class GroupQueue {
  readonly name: string;
  readonly stream: string;
  readonly patterns = new Map<string, TopicPattern>();
  readonly members = new Set<GroupSubscription>();
  /** Changes when something was taken from a member by force; see `scripts/settle.ts`. */
  epoch: string;
  /** Something may be pending for us to take: at the beginning, after a bell, and from time to time for what the dead left. */
  wantsTake = true;
  /** Monotonic time of the next look for what the dead left. */
  nextRecoveryMs = 0;
  /** The last read brought all that it asked for: there is probably more. */
  isHot = false;
  /** Why the server refuses settlements now, where it does: told once. */
  refusedWith: string | undefined;
  isExclusive = false;
  /** Exclusive groups: whether this session holds the lock. */
  isOwner = false;
  /** Exclusive groups: whose the lock was before, until all that this one held is taken. */
  former = "";
  #turn = 0;

  constructor(name: string, stream: string, epoch: string) {
    this.name = name;
    this.stream = stream;
    this.epoch = epoch;
  }

  /** Members that may get something: of an exclusive group the first one only. */
  get active(): readonly GroupSubscription[] {
    if (!this.isExclusive) return [...this.members];
    const [first] = this.members;
    return first === undefined || !this.isOwner ? [] : [first];
  }

  /** How many entries may be fetched. */
  get free(): number {
    if (this.isExclusive && !this.isOwner) return 0;
    let sum = 0;
    for (const member of this.members) {
      sum += member.free;
      if (this.isExclusive) break;
    }
    return sum;
  }

  /** Gives entries to members in turn. Returns those that nobody has room for any more. */
  deliver(entries: readonly Entry[], epoch: string): readonly Entry[] {
    const members = this.active;
    const [only] = members;
    const surplus: Entry[] = [];
    const parts = new Map<GroupSubscription, Entry[]>();
    if (members.length === 1 && only !== undefined && only.free >= entries.length) parts.set(only, [...entries]);
    else {
      const rooms = members.map((member) => member.free);
      for (const entry of entries) {
        const index = this.#nextWithRoom(rooms);
        const member = members[index];
        if (member === undefined) {
          surplus.push(entry);
          continue;
        }
        rooms[index] = (rooms[index] ?? 0) - 1;
        const part = parts.get(member);
        if (part === undefined) parts.set(member, [entry]);
        else part.push(entry);
      }
    }
    for (const [member, part] of parts) member.deliver(part, epoch, (entry) => readMessage(entry.values, { entryId: entry.id, topic: this.name }));
    return surplus;
  }

  /** Whoever of our members holds this entry: it has come again, so its lease had lapsed. */
  forget(entryId: string): void {
    for (const member of this.members) member.forget(entryId);
  }

  #nextWithRoom(rooms: readonly number[]): number {
    for (let step = 0; step < rooms.length; step++) {
      const index = this.#turn++ % rooms.length;
      if ((rooms[index] ?? 0) > 0) return index;
    }
    return -1;
  }
}
