/**
 * What one process did, a line for each step, so that the books can be closed after it is gone. A line is on its way to the file before the next step
 * begins (`writeSync`): a SIGKILL takes the process, not its lines.
 *
 * The ledger is a middleware of the bus: the team's own code does not know about it and cannot forget it.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { BusEvents, Middleware } from "@halyard/core";

export type LedgerEntry =
  /** The broker has accepted a message that this process published. */
  | { readonly event: "published"; readonly id: string; readonly topic: string; readonly atMs: number }
  /** A handler begins; `deliveries` above 1: somebody had the message before. */
  | { readonly event: "started"; readonly id: string; readonly topic: string; readonly group: string; readonly deliveries: number; readonly atMs: number }
  /** The handler is done with it, and all it wanted to publish has been accepted. */
  | { readonly event: "handled"; readonly id: string; readonly topic: string; readonly group: string; readonly atMs: number }
  /** The handler failed, the message is to come again. */
  | { readonly event: "retried"; readonly id: string; readonly topic: string; readonly group: string; readonly atMs: number }
  /** The handler failed for good, the message is in the group's dead letters. */
  | { readonly event: "dead-lettered"; readonly id: string; readonly topic: string; readonly group: string; readonly atMs: number }
  /** The process ended in order. */
  | { readonly event: "closed"; readonly atMs: number };

type Unstamped<Entry> = Entry extends unknown ? Omit<Entry, "atMs"> : never;

export interface Ledger {
  /** For `createBus({ middleware })`. */
  readonly middleware: Middleware;
  /** Also writes down what only the bus knows: retries and dead letters. */
  watch(bus: { on<Event extends "retry" | "dead-letter">(event: Event, listener: (value: BusEvents[Event]) => void): () => void }): void;
  close(): void;
}

export function openLedger(path: string): Ledger {
  const file = openSync(path, "a", 0o600);
  const write = (entry: Unstamped<LedgerEntry>): void => {
    writeSync(file, `${JSON.stringify({ ...entry, atMs: Date.now() })}\n`);
  };
  return {
    middleware: {
      async publish(draft, next) {
        const receipt = await next(draft);
        write({ event: "published", id: receipt.id, topic: draft.topic });
        return receipt;
      },
      async handle({ id, topic }, { group, deliveries }, next) {
        // Live subscriptions look on: their copies are nobody's work.
        if (group === undefined) return next();
        write({ event: "started", id, topic, group, deliveries });
        await next();
        write({ event: "handled", id, topic, group });
      },
    },
    watch(bus) {
      bus.on("retry", ({ id, topic, group = "" }) => write({ event: "retried", id, topic, group }));
      bus.on("dead-letter", ({ id, topic, group = "" }) => write({ event: "dead-lettered", id, topic, group }));
    },
    close() {
      write({ event: "closed" });
      closeSync(file);
    },
  };
}

/** The entries of a ledger file. A last line without its end was being written when the process died; it counts as not written. */
export function readLedger(text: string): readonly LedgerEntry[] {
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as LedgerEntry);
}

/** Messages that a process had begun and not ended: what it was working on when it died, or works on now. */
export function openWork(entries: readonly LedgerEntry[]): readonly string[] {
  const open = new Set<string>();
  for (const entry of entries) {
    if (entry.event === "started") open.add(entry.id);
    else if (entry.event === "handled" || entry.event === "retried" || entry.event === "dead-lettered") open.delete(entry.id);
  }
  return [...open];
}
