/** What a server drops when it ends, for its log: a line a group, so that people can see what was lost. */
import type { Backend, Host } from "@halyard/core/spi";
import { systemClock } from "@halyard/core/spi";

const groupsShownMax = 100;

export interface HeldGroup {
  readonly namespace: string;
  readonly group: string;
  readonly waiting: number | undefined;
  readonly delayed: number | undefined;
  readonly inFlight: number | undefined;
  readonly deadLetters: number;
}

/** At most 100 groups. Groups that were removed and left dead letters behind are not found by name; the sum in the log counts them. */
export async function describeHeld(backend: Backend, namespaces: readonly string[]): Promise<readonly HeldGroup[]> {
  const { signal } = new AbortController();
  const found: HeldGroup[] = [];
  for (const namespace of new Set(namespaces)) {
    const host: Host = { namespace, clientName: "halyard-server", clock: systemClock, random: () => 0.5, report: () => undefined };
    const session = await backend.connect(host, signal);
    for (const info of (await session.admin.groups(signal)) ?? []) {
      if (found.length >= groupsShownMax) break;
      const { name: group, waiting, delayed, inFlight } = info;
      const deadLetters = await session.deadLetters.count(group, signal);
      if ((waiting ?? 0) + (delayed ?? 0) + (inFlight ?? 0) + deadLetters > 0) found.push({ namespace, group, waiting, delayed, inFlight, deadLetters });
    }
    await session.close();
  }
  return found;
}
