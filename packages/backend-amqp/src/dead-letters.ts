/** Counting, purging and walking dead letters, one walk a group. How a walk reads them is told in `dead-letter-walk.ts`. */
import type { DeadLetters, HalyardError, Verdict, WireMessage } from "@halyard/core/spi";
import { Walk, type WalkParts } from "./dead-letter-walk.ts";
import { abortedError } from "./errors.ts";
import { busy, WalkRecord, type WalkRecordParts } from "./walk-record.ts";

export interface DeadLetterParts extends WalkParts, WalkRecordParts {
  readonly ended: Promise<Error | undefined>;
  readonly lost: () => HalyardError | undefined;
}

export class DeadLetterQueues implements DeadLetters {
  readonly #parts: DeadLetterParts;
  /** Walks of this session, by group. */
  readonly #walks = new Map<string, Walk>();
  /** Ends each of them. One callback on the session's end calls them all: one for each walk would stay as long as the session. */
  readonly #aborts = new Set<() => void>();

  constructor(parts: DeadLetterParts) {
    this.#parts = parts;
    void parts.ended.then(() => {
      for (const abort of this.#aborts) abort();
    });
  }

  /** The broker counts what nobody holds: what walks hold is added. */
  async count(group: string): Promise<number> {
    this.#assertAlive();
    const { declare, names } = this.#parts;
    const walk = this.#walks.get(group);
    const held = walk === undefined ? await new WalkRecord(this.#parts, group).heldElsewhere() : walk.held;
    return ((await declare.look(names.dead(group)))?.messageCount ?? 0) + held;
  }

  async purge(group: string): Promise<number> {
    this.#assertAlive();
    const { declare, names } = this.#parts;
    return (await declare.purge(names.dead(group))) ?? 0;
  }

  async walk(
    group: string,
    { pageMax, signal }: { readonly pageMax: number; readonly signal: AbortSignal },
    visit: (page: readonly WireMessage[]) => Promise<readonly Verdict[] | "stop">,
  ): Promise<void> {
    this.#assertAlive();
    if (this.#walks.has(group)) throw busy(group);
    const { lost } = this.#parts;
    const record = new WalkRecord(this.#parts, group);
    const walk = new Walk(this.#parts, group, pageMax, record);
    this.#walks.set(group, walk);
    const over = new AbortController();
    const onAbort = (): void => over.abort();
    this.#aborts.add(onAbort);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    try {
      await walk.run(over.signal, () => lost() ?? abortedError(`The walk over the dead letters of ${group}`), visit);
    } finally {
      this.#aborts.delete(onAbort);
      signal.removeEventListener("abort", onAbort);
      await walk.end();
      this.#walks.delete(group);
      await record.end().catch(() => undefined); // the lock goes with its connection, and the next walk tidies up
    }
  }

  #assertAlive(): void {
    const error = this.#parts.lost();
    if (error !== undefined) throw error;
  }
}
