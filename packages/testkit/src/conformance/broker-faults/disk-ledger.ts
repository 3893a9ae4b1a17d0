/**
 * The ledger that decides whether anything was lost: one file per process, one line per fact, each written before the program goes on. What was written
 * is in the kernel's hands, so a SIGKILL of the writer cannot take a line back.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * `unknown`: the publish was given up, and nobody knows whether it is stored. `delivered`: a handler began; `handled`: it ended well. `acked` and
 * `moved`: the broker took the ack, or stored the copy for a retry or the dead letters.
 */
export type Fact = "attempted" | "accepted" | "refused" | "unknown" | "delivered" | "handled" | "acked" | "moved";

export interface Entry {
  readonly fact: Fact;
  readonly id: string;
  /** Wall clock, milliseconds: what several processes share. */
  readonly timeMs: number;
  /** Which attempt, for `delivered` and `handled`; otherwise 1. */
  readonly attempt: number;
  /** Which group it was for; empty for what happens to publishes. */
  readonly group: string;
}

export class DiskLedger {
  readonly #descriptor: number;
  #isClosed = false;

  /** @param directory - shared by all processes of one run */
  constructor(directory: string, process: string) {
    mkdirSync(directory, { recursive: true });
    this.#descriptor = openSync(join(directory, `${process}.ledger`), "a");
  }

  /** After `close` nothing is noted: a case that has failed may leave handlers and publishes behind. */
  note(fact: Fact, id: string, group = "", attempt = 1): void {
    if (!this.#isClosed) writeSync(this.#descriptor, `${fact} ${id} ${Date.now()} ${attempt} ${group}\n`);
  }

  close(): void {
    this.#isClosed = true;
    closeSync(this.#descriptor);
  }
}

/** A line that `note` wrote. */
export function parseEntry(line: string): Entry {
  const [fact = "", id = "", timeMs = "", attempt = "", group = ""] = line.split(" ");
  return { fact: fact as Fact, id, timeMs: Number(timeMs), attempt: Number(attempt), group }; // only `note` writes these files
}
