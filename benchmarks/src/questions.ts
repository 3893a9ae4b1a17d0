/**
 * What the harness asks its processes, over Node's own channel between parent and child. Each process of a measurement answers some of these.
 * A question is asked once at a time per process; numbers are counted by the process itself and stamped with its clock when it answers.
 */
import type { LedgerTotals } from "./ledger.ts";

/** Counters of one process at one moment. What a process does not do stays 0. */
export interface Mark {
  /** Machine-wide monotonic clock. */
  readonly atMs: number;
  /** Messages whose publish was confirmed. */
  readonly published: number;
  /** Messages whose handler finished. */
  readonly handled: number;
  /** Processor time that this process has used, user and system. */
  readonly cpuMs: number;
}

/** Result of a contender that lives in one process and measures itself. */
export interface AloneResult {
  readonly from: Mark;
  readonly to: Mark;
  readonly published: number;
  readonly ledger: LedgerTotals;
  /** Timers of 50 ms that fired during the measurement: none means that the process was deaf to everything else. */
  readonly timerTicks: number;
}

/** What a publisher at a fixed rate did: message `index` was meant for `startMs + index × intervalMs`. */
export interface PacedResult {
  readonly startMs: number;
  readonly intervalMs: number;
  readonly published: number;
}

export interface Answers {
  /** The whole of a measurement in one process. */
  run: AloneResult;
  /** Starts to publish; answered at once. */
  go: Mark;
  mark: Mark;
  /** Stops to publish; answered when every publish is confirmed. */
  stop: Mark;
  /** Publishes at a fixed rate; answered when every publish is confirmed. */
  pace: PacedResult;
  /** Answered when nothing is unacked any more. */
  finish: LedgerTotals;
  /** When each message was handled, by index, on the machine-wide clock; 0 where it never was. */
  arrivals: readonly number[];
  /** Lets go of everything; the process ends by itself. */
  end: Mark;
}

export type Question = keyof Answers;

/** Parent to child. */
export interface Asked {
  readonly question: Question;
}

/** Child to parent: `ready` once, then one `answer` a question; `failure` instead of either. */
export type Told = { readonly ready: string } | { readonly answer: unknown } | { readonly failure: string };

/** One clock for all processes of a machine, so that a time taken in one means something in another. */
export function machineMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** The counters now. */
export function markNow(published: number, handled: number): Mark {
  const { user, system } = process.cpuUsage();
  return { atMs: machineMs(), published, handled, cpuMs: (user + system) / 1e3 };
}
