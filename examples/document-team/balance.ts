/**
 * Closes the books: what was accepted against what was handled or is a dead letter. Nothing here trusts a counter of the bus: it counts ids that publishers
 * wrote down, ids that handlers wrote down, and the dead letters that the broker shows at the end.
 */
import { type LedgerEntry, openWork } from "./ledger.ts";
import { groupOf } from "./topics.ts";

export interface ProcessLedger {
  readonly name: string;
  /** How it ended, e.g. "killed". Empty: in order. */
  readonly note: string;
  readonly entries: readonly LedgerEntry[];
}

export interface Counts {
  /** Messages that the broker accepted from this process; the same id again, after a redelivery, is not another message. */
  readonly published: number;
  /** Handler runs that ended well. */
  readonly handled: number;
  readonly retried: number;
  /** Handler runs of messages that somebody had before. */
  readonly redelivered: number;
  readonly deadLettered: number;
  /** Messages that it was working on when it ended. */
  readonly inHand: number;
}

export interface Balance {
  readonly processes: readonly (Counts & { readonly name: string; readonly note: string })[];
  readonly total: Counts;
  /** Accepted and never seen again: neither handled nor a dead letter. */
  readonly lost: readonly { readonly id: string; readonly topic: string }[];
  /** Dead letters that are left. */
  readonly dead: number;
  /** From the first acceptance to the last handled message. */
  readonly durationMs: number;
  readonly messagesPerSecond: number;
}

/** `deadLetters`: ids by group, as the broker lists them at the end. */
export function balance(ledgers: readonly ProcessLedger[], deadLetters: Readonly<Record<string, readonly string[]>>): Balance {
  const accepted = new Map<string, { readonly id: string; readonly topic: string }>();
  const processes = ledgers.map(({ name, note, entries }) => ({ name, note, ...count(entries, accepted) }));
  const settled = new Set<string>();
  for (const { entries } of ledgers) for (const entry of entries) if (entry.event === "handled") settled.add(keyOf(entry.group, entry.id));
  for (const [group, ids] of Object.entries(deadLetters)) for (const id of ids) settled.add(keyOf(group, id));
  const total = processes.reduce(plus, nothing);
  const durationMs = durationOf(ledgers.flatMap(({ entries }) => entries));
  return {
    processes,
    total,
    lost: [...accepted].filter(([key]) => !settled.has(key)).map(([, message]) => message),
    dead: Object.values(deadLetters).reduce((sum, ids) => sum + ids.length, 0),
    durationMs,
    messagesPerSecond: durationMs === 0 ? 0 : (total.handled * 1_000) / durationMs,
  };
}

/** Of the demo: 1 when a single message is missing. */
export function exitStatus({ lost }: Balance): 0 | 1 {
  return lost.length === 0 ? 0 : 1;
}

const nothing: Counts = { published: 0, handled: 0, retried: 0, redelivered: 0, deadLettered: 0, inHand: 0 };

/** An id belongs to a group: the same one may be handled in one and dead in another. */
const keyOf = (group: string, id: string): string => `${group} ${id}`;

/** Adds what this process published to `accepted`. */
function count(entries: readonly LedgerEntry[], accepted: Map<string, { readonly id: string; readonly topic: string }>): Counts {
  let { published, handled, retried, redelivered, deadLettered } = nothing;
  for (const entry of entries) {
    if (entry.event === "published") {
      const key = keyOf(groupOf(entry.topic), entry.id);
      if (!accepted.has(key)) published++;
      accepted.set(key, { id: entry.id, topic: entry.topic });
    } else if (entry.event === "started" && entry.deliveries > 1) redelivered++;
    else if (entry.event === "handled") handled++;
    else if (entry.event === "retried") retried++;
    else if (entry.event === "dead-lettered") deadLettered++;
  }
  return { published, handled, retried, redelivered, deadLettered, inHand: openWork(entries).length };
}

function plus(a: Counts, b: Counts): Counts {
  return {
    published: a.published + b.published,
    handled: a.handled + b.handled,
    retried: a.retried + b.retried,
    redelivered: a.redelivered + b.redelivered,
    deadLettered: a.deadLettered + b.deadLettered,
    inHand: a.inHand + b.inHand,
  };
}

function durationOf(entries: readonly LedgerEntry[]): number {
  let [firstMs, lastMs] = [Number.POSITIVE_INFINITY, 0];
  for (const { event, atMs } of entries) {
    if (event === "published") firstMs = Math.min(firstMs, atMs);
    if (event === "handled") lastMs = Math.max(lastMs, atMs);
  }
  return Math.max(0, lastMs - firstMs);
}
