/** Groups come (by subscribe or define), go (by removal or idle expiry) and are emptied (purge). */
import { HalyardError, type TopicPattern } from "@halyard/core/spi";
import type { Commands, Now } from "./commands.ts";
import { Entry } from "./entry.ts";
import { Group } from "./group.ts";
import { delayOf, type HubState } from "./state.ts";

interface Start {
  readonly patterns: readonly TopicPattern[];
  readonly from: "new" | "earliest" | { readonly timeMs: number };
}

/**
 * Makes a group and fills it from history where it asks to start earlier.
 * @throws UNSUPPORTED where no history is kept; BACKPRESSURE where what it would start with does not fit.
 */
export function createGroup(state: HubState, name: string, start: Start, now: Now): Group {
  const group = new Group(name);
  if (start.from !== "new") replay(state, group, start, now);
  state.groups.set(name, group);
  return group;
}

function replay(state: HubState, group: Group, { patterns, from }: Start, now: Now): void {
  const { history } = state;
  if (history === undefined) {
    throw new HalyardError("UNSUPPORTED", "A group can start from earlier messages only where history is kept: do not set history: false in memory().");
  }
  const after = typeof from === "object" ? history.positionBefore(from.timeMs) : 0;
  const { messages } = history.read(patterns, after, Number.POSITIVE_INFINITY);
  let bytes = 0;
  for (const { message } of messages) bytes += state.sizes.of(message);
  if (!state.room.has(messages.length, bytes / Math.max(1, messages.length))) {
    throw new HalyardError("BACKPRESSURE", `No room for the ${messages.length} earlier messages: ${state.room.describe(messages.length, bytes)}.`);
  }
  for (const { message } of messages) state.store(group, message, state.sizes.of(message), delayOf(message, now), now);
}

export function defineGroup(state: HubState, { name, add, drop }: Commands["defineGroup"], now: Now): undefined {
  const group = state.groups.get(name) ?? createGroup(state, name, { patterns: add, from: "new" }, now);
  for (const pattern of add) state.routes.addGroupPattern(group, pattern);
  for (const pattern of drop) state.routes.dropGroupPattern(group, pattern);
}

/** With what waits, is delayed and in flight; dead letters stay. Returns how many messages went. */
export function removeGroup(state: HubState, group: Group): number {
  let lost = 0;
  const forget = (entry: Entry): void => {
    state.room.remove(entry.bytes);
    lost++;
  };
  for (const pattern of [...group.patterns.values()]) state.routes.dropGroupPattern(group, pattern);
  for (const entry of group.queue.removeWhere(() => true)) forget(entry);
  const isOfGroup = (what: Entry | Group): what is Entry | Group => what === group || (what instanceof Entry && what.group === group);
  for (const what of state.delayed.removeWhere(isOfGroup)) if (what instanceof Entry) forget(what);
  for (const member of group.members.splice(0)) {
    member.isClosed = true;
    member.stopWaiting();
    for (const entry of [...member.inFlight]) {
      member.drop(entry);
      forget(entry);
    }
    state.effects.removed.push(member);
  }
  group.isRemoved = true;
  state.groups.delete(group.name);
  return lost;
}

/** What waits; not what is delayed or in flight. */
export function purgeGroup(state: HubState, { name }: Commands["purgeGroup"]): number {
  const purged = state.groups.get(name)?.queue.removeWhere(() => true) ?? [];
  for (const entry of purged) state.room.remove(entry.bytes);
  return purged.length;
}

/** To be called when a member has left: begins the idle time of a group that has one. */
export function noteIdle(state: HubState, group: Group, now: Now): void {
  if (group.members.length > 0 || group.idleExpiryMs === undefined || group.isRemoved) return;
  group.idleSinceMs = now.monotonicMs;
  if (group.isExpiryDue) return;
  group.isExpiryDue = true;
  state.delayed.push(group, now.monotonicMs + group.idleExpiryMs);
}

/** The group's place in the heap has come up: it goes, or, where somebody was there in between, it is looked at again later. */
export function expireIdle(state: HubState, group: Group, now: Now): void {
  group.isExpiryDue = false;
  if (group.members.length > 0 || group.idleExpiryMs === undefined) return;
  const dueMs = group.idleSinceMs + group.idleExpiryMs;
  if (dueMs > now.monotonicMs) {
    group.isExpiryDue = true;
    state.delayed.push(group, dueMs);
    return;
  }
  const lost = removeGroup(state, group);
  state.effects.warnings.push(
    `The group ${group.name} had no member for ${group.idleExpiryMs} ms and was removed as its idleExpiryMs says, with ${lost} messages.`,
  );
}
