/**
 * Dead letters: a stream without limits, a subject a group. Letters are read without consuming, so looking uses nothing up.
 *
 * A 2.9 server may not see all letters of a group, where the last ones were removed before others (why is told in `unseen.ts`). So a walk that meets fewer
 * than the server has counted goes over the letters of all groups as well, among which it sees each.
 */
import { type DeadLetters, HalyardError, type Verdict, type WireMessage } from "@halyard/core/spi";
import { lost } from "./errors.ts";
import { abortable } from "./jetstream-api.ts";
import { type LockParts, tryLock } from "./lease-lock.ts";
import { letterSubject, readySubject, type Topology, walkSubject } from "./names.ts";
import { readMessage } from "./native-message.ts";
import { type ReadParts, readInOrder } from "./ordered-read.ts";
import { copyId, encodeHeaders } from "./wire.ts";

/** One walk over a group's dead letters at a time; one that hangs is over after so long. */
const walkLeaseMs = 15_000;
/** A server that sees the letters of a group says within milliseconds that there are no more. */
const patienceMs = 1_000;

export interface DeadLettersParts extends ReadParts, LockParts {
  readonly topology: Topology;
  /** Aborts when the session ends. */
  readonly over: AbortSignal;
  hasGroup(group: string): Promise<boolean>;
}

interface Letter {
  readonly wire: WireMessage;
  readonly sequence: number;
}

export function deadLettersOf(parts: DeadLettersParts): DeadLetters {
  const { api, topology } = parts;

  async function count(group: string): Promise<number> {
    const subject = letterSubject(topology, group);
    const info = await api.streamInfo(topology.dead, subject);
    return info?.state.subjects?.[subject] ?? 0;
  }

  /** Some letters of the group, in order, and how far they were looked for; `undefined`: to the end. */
  async function pageAfter(group: string, sequence: number, limit: number, isWide: boolean): Promise<{ letters: readonly Letter[]; to: number | undefined }> {
    const subject = letterSubject(topology, group);
    const narrow = isWide ? { subjects: [] } : { subjects: [subject], patienceMs };
    const found = await readInOrder(parts, { stream: topology.dead, from: { sequence: sequence + 1 }, limit, ...narrow });
    const letters = found.flatMap(({ message, ack }) => {
      if (message.subject !== subject) return [];
      return [{ wire: readMessage(message, topology.deadPrefix.length, () => `${topology.dead}:${ack.sequence}`).message, sequence: ack.sequence }];
    });
    return { letters, to: found.at(-1)?.ack.sequence };
  }

  /** Page by page, each letter once. */
  async function* pagesOf(group: string, pageMax: number): AsyncGenerator<readonly Letter[]> {
    const counted = await count(group);
    const seen = new Set<number>();
    for (const isWide of [false, true]) {
      if (isWide && seen.size >= counted) return;
      for (let after: number | undefined = 0; after !== undefined; ) {
        const { letters, to } = await pageAfter(group, after, pageMax, isWide);
        const others = letters.filter(({ sequence }) => !seen.has(sequence));
        for (const { sequence } of others) seen.add(sequence);
        if (others.length > 0) yield others;
        after = to;
      }
    }
  }

  async function obey(group: string, letters: readonly Letter[], verdicts: readonly Verdict[]): Promise<void> {
    const fates = letters.map((letter, index) => ({ letter, verdict: verdicts[index] ?? "keep" }));
    const redriven = fates.flatMap(({ letter, verdict }) => (typeof verdict === "object" ? [{ letter, message: verdict.redrive }] : []));
    if (redriven.length > 0 && !(await parts.hasGroup(group)))
      throw new HalyardError("NO_SUCH_GROUP", `There is no group ${group} to redrive to: define it or subscribe to it first.`);
    const frames = redriven.map(({ letter, message }) => ({
      subject: readySubject(topology, group),
      headers: encodeHeaders(message, copyId(message, group, `${topology.dead}-${letter.sequence}`), { topic: message.topic }),
      body: message.body,
    }));
    const statuses = await parts.publisher.send(frames);
    const refused = statuses?.find(({ status }) => status !== "accepted");
    const stored = new Set(redriven.filter((_, index) => (statuses?.[index]?.status ?? "accepted") === "accepted").map(({ letter }) => letter));
    const gone = fates.filter(({ letter, verdict }) => verdict === "remove" || stored.has(letter));
    await Promise.all(gone.map(({ letter }) => api.deleteMessage(topology.dead, letter.sequence)));
    if (refused !== undefined && refused.status !== "accepted") throw refused.error;
  }

  return {
    count: (group, signal) => abortable(signal, "Counting dead letters", count(group)),
    purge: (group, signal) => abortable(signal, "Purging dead letters", api.purge(topology.dead, letterSubject(topology, group))),
    async walk(group, { pageMax, signal }, visit) {
      const either = AbortSignal.any([signal, parts.over]);
      const lock = await tryLock({ subject: walkSubject(topology, group), leaseMs: walkLeaseMs }, parts);
      if (lock === undefined) throw new HalyardError("BUSY", `Somebody walks the dead letters of ${group} already: try again later.`);
      try {
        either.throwIfAborted();
        for await (const letters of pagesOf(group, pageMax)) {
          // The end of the session must end a walk whose visitor never answers. Listened for before the visitor is called.
          const verdicts = await untilAborted(either, () => visit(letters.map(({ wire }) => wire)));
          if (parts.connection.isClosed()) throw lost();
          if (verdicts === "stop") return;
          if (!lock.isHeld) throw new HalyardError("BUSY", `The walk over the dead letters of ${group} took too long without a sign; another one has begun.`);
          await obey(group, letters, verdicts);
          either.throwIfAborted();
        }
      } catch (thrown) {
        if (parts.over.aborted) throw lost(thrown);
        throw thrown;
      } finally {
        await lock.release().catch(() => undefined); // it lapses by itself
      }
    },
  };
}

async function untilAborted<Value>(signal: AbortSignal, run: () => Promise<Value>): Promise<Value> {
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new HalyardError("ABORTED", "The walk over the dead letters was given up."));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
  aborted.catch(() => undefined); // the race answers it, if anybody still waits
  try {
    return await Promise.race([aborted, run()]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
