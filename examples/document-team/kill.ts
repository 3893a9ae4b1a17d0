/**
 * Kills an analyst while it provably works. A process that is only asked "do you work?" may be done by the time it is killed; so it is first stopped in its
 * tracks (SIGSTOP), then its ledger is read, and only if that has a message that was begun and not ended does SIGKILL follow. Otherwise it goes on.
 */
import { readFileSync } from "node:fs";
import { openWork, readLedger } from "./ledger.ts";
import type { Member } from "./team.ts";
import { pause } from "./waiting.ts";

export interface Killing {
  readonly member: Member;
  /** Ids of the messages that it was working on. */
  readonly inHand: readonly string[];
  readonly handledBefore: number;
}

/** The signal is delivered by the kernel at once; the other core may run a moment longer. */
const standsStillMs = 4;
const betweenTriesMs = 2;
/** Half a minute of an idle team at least. */
const triesMax = 5_000;

/** Tries one after the other until `isDone`; `undefined`: none was caught at work. */
export async function killAtWork(members: readonly Member[], isDone: () => Promise<boolean>, signal: AbortSignal): Promise<Killing | undefined> {
  for (let tries = 0; tries < triesMax; tries++) {
    const member = members[tries % members.length];
    // Asked now and then, since asking takes longer than trying.
    if (member === undefined || (tries % members.length === 0 && (await isDone()))) return undefined;
    signal.throwIfAborted();
    const killing = await tryOne(member);
    if (killing !== undefined) return killing;
    await pause(betweenTriesMs, signal);
  }
  return undefined;
}

async function tryOne(member: Member): Promise<Killing | undefined> {
  // Somebody was faster, by hand.
  if (member.note !== "") return undefined;
  member.signal("SIGSTOP");
  await pause(standsStillMs);
  if (look(member).inHand.length === 0) {
    member.signal("SIGCONT");
    return undefined;
  }
  member.note = "killed";
  member.signal("SIGKILL");
  await member.gone;
  // Read again now that nothing can be added to it: this is the proof.
  return { member, ...look(member) };
}

function look({ ledgerPath }: Member): Omit<Killing, "member"> {
  const entries = readLedger(readFileSync(ledgerPath, "utf8"));
  return { inHand: openWork(entries), handledBefore: entries.filter(({ event }) => event === "handled").length };
}
