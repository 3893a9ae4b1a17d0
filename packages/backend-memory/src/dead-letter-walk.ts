/** The dead letters of a hub as one session sees them. */
import { type DeadLetters, HalyardError, type Verdict, type WireMessage } from "@halyard/core/spi";
import type { Letter } from "./hub/dead-letters.ts";
import type { HubDriver } from "./hub-driver.ts";

type Visit = (page: readonly WireMessage[]) => Promise<readonly Verdict[] | "stop">;

/** `ended` aborts when the session ends: with it a walk dies and frees its group at once, though the visitor may never answer. */
export function deadLettersOf(driver: HubDriver, ended: AbortSignal): DeadLetters {
  return {
    async count(group, signal) {
      assertAlive(signal, ended);
      return driver.hub.deadLetters(group)?.count ?? 0;
    },
    async purge(group, signal) {
      assertAlive(signal, ended);
      return driver.apply("purgeLetters", { group });
    },
    async walk(group, { pageMax, signal }, visit) {
      assertAlive(signal, ended);
      if (driver.walks.has(group)) throw new HalyardError("BUSY", `Somebody walks the dead letters of "${group}" already: try again later.`);
      driver.walks.add(group);
      try {
        for (const letters of driver.hub.deadLetters(group)?.pages(Math.max(1, pageMax)) ?? []) {
          const verdicts = await visited(letters, visit, [signal, ended]);
          assertAlive(signal, ended);
          if (verdicts === "stop") return;
          driver.apply("judge", { group, letters, verdicts });
        }
      } finally {
        driver.walks.delete(group);
      }
    },
  };
}

/** What the visitor says, unless the walk is aborted before. */
function visited(letters: readonly Letter[], visit: Visit, signals: readonly AbortSignal[]): Promise<readonly Verdict[] | "stop"> {
  return new Promise((resolve, reject) => {
    // `stop` leaves the page as it is; the caller finds out why and rejects.
    const onAbort = (): void => resolve("stop");
    for (const signal of signals) signal.addEventListener("abort", onAbort, { once: true });
    const unlisten = (): void => {
      for (const signal of signals) signal.removeEventListener("abort", onAbort);
    };
    // Called inside the promise chain, so that a visitor that throws at once is no different from one that rejects.
    Promise.resolve(letters.map((letter) => letter.message))
      .then(visit)
      .then(resolve, reject)
      .finally(unlisten);
  });
}

/** @throws CONNECTION_LOST after the session ended; ABORTED after the caller's signal. */
export function assertAlive(signal: AbortSignal, ended: AbortSignal): void {
  if (ended.aborted) throw sessionEnded();
  if (signal.aborted) throw new HalyardError("ABORTED", "The caller's signal aborted.", { cause: signal.reason });
}

export const sessionEnded = (): HalyardError => new HalyardError("CONNECTION_LOST", "The session with the memory backend was closed.");
