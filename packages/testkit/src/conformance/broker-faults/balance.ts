/** What the books say: accepted minus (handled or dead) must be empty for every group. */
import type { Entry } from "./disk-ledger.ts";

export interface Balance {
  readonly group: string;
  readonly attempted: number;
  readonly accepted: number;
  /** Certainly not stored. */
  readonly refused: number;
  /** Given up without an answer: they may be handled or not. */
  readonly unknown: number;
  /** Distinct messages. */
  readonly handled: number;
  readonly dead: number;
  /** Handler runs beyond the first that ended well, of one message. */
  readonly duplicates: number;
  /** Runs that began after the broker had taken the ack: as above, but worth knowing. */
  readonly afterAck: number;
  /** Accepted, and neither handled nor dead. */
  readonly lost: readonly string[];
}

/** @param dead - ids among the group's dead letters */
export function balanceOf(entries: readonly Entry[], group: string, dead: ReadonlySet<string> = new Set()): Balance {
  const ids = (fact: Entry["fact"]): ReadonlySet<string> => new Set(entries.filter((entry) => entry.fact === fact).map(({ id }) => id));
  const runs = new Map<string, number>();
  const acked = new Set<string>();
  let afterAck = 0;
  for (const { fact, id, group: of } of entries) {
    if (of !== group) continue;
    if (fact === "handled") runs.set(id, (runs.get(id) ?? 0) + 1);
    else if (fact === "acked") acked.add(id);
    else if (fact === "delivered" && acked.has(id)) afterAck++;
  }
  const accepted = ids("accepted");
  return {
    group,
    attempted: ids("attempted").size,
    accepted: accepted.size,
    refused: ids("refused").size,
    unknown: ids("unknown").size,
    handled: runs.size,
    dead: dead.size,
    duplicates: [...runs.values()].reduce((sum, count) => sum + count - 1, 0),
    afterAck,
    lost: [...accepted].filter((id) => !runs.has(id) && !dead.has(id)),
  };
}

const columns = ["attempted", "accepted", "refused", "unknown", "handled", "dead", "duplicates", "afterAck"] as const;

/** One line, for people. */
export function balanceText(balance: Balance): string {
  return [...columns.map((name) => `${name} ${balance[name]}`), `lost ${balance.lost.length}`].join(", ");
}
