/** Commands on dead letters: what a walk decided, and purge. */
import type { Commands, Now } from "./commands.ts";
import type { Letter } from "./dead-letters.ts";
import { noSuchGroup } from "./publish.ts";
import { delayOf, type HubState } from "./state.ts";

/**
 * Does what the visitor said about a page; a letter without a verdict is kept, one that has gone meanwhile stays gone.
 * @throws NO_SUCH_GROUP when a letter is to be redriven into a group that was removed; the letters before it are done.
 */
export function judge(state: HubState, { group: name, letters, verdicts }: Commands["judge"], now: Now): undefined {
  for (const [index, letter] of letters.entries()) {
    const verdict = verdicts[index] ?? "keep";
    if (verdict === "keep") continue;
    const group = state.groups.get(name);
    if (verdict !== "remove" && group === undefined) throw noSuchGroup(name);
    if (!remove(state, name, letter) || verdict === "remove" || group === undefined) continue;
    // Always taken, also when the hub is full: the letter has its room already.
    state.store(group, verdict.redrive, state.sizes.of(verdict.redrive), delayOf(verdict.redrive, now), now);
  }
}

export function purgeLetters(state: HubState, { group }: Commands["purgeLetters"]): number {
  const letters = state.letters.get(group);
  const count = letters?.count ?? 0;
  for (const letter of letters?.all() ?? []) remove(state, group, letter);
  return count;
}

function remove(state: HubState, group: string, letter: Letter): boolean {
  const letters = state.letters.get(group);
  if (letters === undefined || !letters.remove(letter)) return false;
  state.room.remove(letter.bytes);
  if (letters.copies === 0) state.letters.delete(group);
  return true;
}
