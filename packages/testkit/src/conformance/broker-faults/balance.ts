/** What the books say: accepted minus (handled or dead) must be empty for every group. */

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

const columns = ["attempted", "accepted", "refused", "unknown", "handled", "dead", "duplicates", "afterAck"] as const;

/** One line, for people. */
export function balanceText(balance: Balance): string {
  return [...columns.map((name) => `${name} ${balance[name]}`), `lost ${balance.lost.length}`].join(", ");
}
