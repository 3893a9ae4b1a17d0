/** The hub's history as one session sees it. */
import { HalyardError, type History, type HistoryStart } from "@halyard/core/spi";
import { assertAlive } from "./dead-letter-walk.ts";
import type { HistoryRing } from "./hub/history.ts";

export function historyOf(ring: HistoryRing, ended: AbortSignal): History {
  return {
    async read({ patterns, from, limit, signal }) {
      assertAlive(signal, ended);
      return ring.read(patterns, positionOf(ring, from), Math.max(1, limit));
    },
    async byId(ids, signal) {
      assertAlive(signal, ended);
      return ids.map((id) => ring.find(id));
    },
  };
}

/** The position after which reading begins. */
function positionOf(ring: HistoryRing, from: HistoryStart): number {
  if (from === "start") return 0;
  if ("timeMs" in from) return ring.positionBefore(from.timeMs);
  const position = Number(from.after);
  if (/^\d{1,16}$/.test(from.after) && Number.isSafeInteger(position)) return position;
  throw new HalyardError("INVALID_OPTIONS", `${JSON.stringify(from.after)} is not a position of this history: use one that a read or a publish returned.`);
}
