/**
 * Expired messages are dropped by core when they are handed over. Where nobody takes them they would fill the hub for good: when a publish finds no
 * room, the hub drops what has expired, and says so.
 */
import type { Now } from "./commands.ts";
import { Entry } from "./entry.ts";
import type { Group } from "./group.ts";
import type { HubState } from "./state.ts";

/** Searching everything takes milliseconds when the hub is full: at most once in so long. */
const searchEveryMs = 1_000;

/** Whether there is room now. */
export function makeRoom(state: HubState, copies: number, bytes: number, now: Now): boolean {
  if (now.wallMs < state.earliestExpiryMs || now.monotonicMs - state.expirySearchMs < searchEveryMs) return false;
  state.expirySearchMs = now.monotonicMs;
  const dropped = dropExpired(state, now.wallMs);
  if (dropped > 0) state.effects.warnings.push(`The hub was full and dropped ${dropped} messages whose ttl had passed before anyone took them.`);
  return state.room.has(copies, bytes);
}

function dropExpired(state: HubState, wallMs: number): number {
  let earliestMs = Number.POSITIVE_INFINITY;
  const isExpired = (entry: Entry): boolean => {
    const expiresAtMs = entry.message.expiresAtMs;
    if (expiresAtMs === undefined) return false;
    if (expiresAtMs <= wallMs) return true;
    earliestMs = Math.min(earliestMs, expiresAtMs);
    return false;
  };
  let dropped = 0;
  const drop = (entry: Entry): void => {
    state.room.remove(entry.bytes);
    dropped++;
  };
  for (const group of state.groups.values()) for (const entry of group.queue.removeWhere(isExpired)) drop(entry);
  const isExpiredDelayed = (what: Entry | Group): what is Entry => what instanceof Entry && isExpired(what);
  for (const entry of state.delayed.removeWhere(isExpiredDelayed)) {
    if (entry.group !== undefined) entry.group.delayed--;
    drop(entry);
  }
  state.earliestExpiryMs = earliestMs;
  return dropped;
}
