/** Time has passed: delayed copies become ready, leases lapse, idle groups go. */
import type { Now } from "./commands.ts";
import type { Entry } from "./entry.ts";
import { Group } from "./group.ts";
import { expireIdle } from "./groups.ts";
import { fanOut } from "./publish.ts";
import type { HubState } from "./state.ts";

export function advance(state: HubState, now: Now): void {
  for (let what = state.delayed.take(now.monotonicMs); what !== undefined; what = state.delayed.take(now.monotonicMs)) {
    if (what instanceof Group) expireIdle(state, what, now);
    else becomeReady(state, what, now);
  }
  if (now.monotonicMs >= state.leaseDueMs) lapseLeases(state, now);
}

function becomeReady(state: HubState, entry: Entry, now: Now): void {
  const { group, message } = entry;
  if (group === undefined) {
    state.room.remove(entry.bytes);
    fanOut(state, state.routes.of(message.topic), message, now);
    return;
  }
  group.delayed--;
  group.queue.push(entry);
  if (group.waiting > 0) state.touch(group);
}

/**
 * Looks through all that is in flight instead of keeping a second queue: what is handed out costs nothing, and as the check falls due when the
 * oldest lease does, it runs about once a lease time.
 */
function lapseLeases(state: HubState, now: Now): void {
  let dueMs = Number.POSITIVE_INFINITY;
  for (const group of state.groups.values()) {
    const lapsed: Entry[] = [];
    for (const member of group.members) {
      for (const [slot, untilMs] of member.leaseUntilMs.entries()) {
        const entry = member.inFlight[slot];
        if (untilMs > now.monotonicMs) dueMs = Math.min(dueMs, untilMs);
        else if (entry !== undefined) lapsed.push(entry);
      }
    }
    if (lapsed.length === 0) continue;
    group.putBack(lapsed);
    state.touch(group);
  }
  state.leaseDueMs = dueMs;
}
