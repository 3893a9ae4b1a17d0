/** A queue of a group is gone under its members: removed on purpose, or deleted behind our back and then made again. */
import { HalyardError, type Host, sleep, type TopicPattern } from "@halyard/core/spi";
import type { Declare } from "./declare.ts";
import type { Declaration } from "./declared.ts";
import { lostError } from "./errors.ts";
import type { NamespaceNames } from "./names.ts";

export interface GoneQueueParts {
  readonly declare: Declare;
  readonly names: NamespaceNames;
  readonly host: Host;
  readonly lost: () => HalyardError | undefined;
}

/** The member that was told. */
export interface GoneMember {
  readonly group: string;
  readonly life: number;
  readonly patterns: readonly TopicPattern[];
}

/** A queue that was deleted is made again within a second. */
const redeclaresMax = 20;
const redeclarePauseMs = 50;

/** Makes the group's queue again unless it was removed on purpose, and resolves with why the subscription is to end: core subscribes again where that helps. */
export async function afterGone(parts: GoneQueueParts, { group, life, patterns }: GoneMember): Promise<HalyardError> {
  const { declare, names, host, lost } = parts;
  const report = (): void => host.report({ type: "recreated", what: `the queue ${names.group(group)}`, lost: "unknown" });
  try {
    if (await declare.wasRemoved(group, life)) return removedError(group);
    await redeclare(parts, group, patterns);
  } catch (thrown) {
    const ended = lost();
    if (ended !== undefined) return ended;
    report(); // not yet, but core subscribes again until it is
    return thrown instanceof HalyardError ? thrown : lostError(thrown);
  }
  report(); // from here on nothing is lost any more
  return deletedError(`The queue of group ${group}`);
}

/** As `afterGone`, for the queue that says who is active. Members that wait have no consumer on the group's own queue, so they hear of a removal by this one. */
export async function afterExclusiveGone(
  { declare, names, lost }: GoneQueueParts,
  { group, life }: GoneMember,
  declaration: Declaration | undefined,
): Promise<HalyardError> {
  try {
    if (await declare.wasRemoved(group, life)) return removedError(group);
    await declare.gone(names.exclusive(group), declaration);
  } catch (thrown) {
    return lost() ?? (thrown instanceof HalyardError ? thrown : lostError(thrown));
  }
  return deletedError(`The queue that says who is active in group ${group}`);
}

/** Consumers are told before their queue is quite gone: what is declared in that moment fails. */
async function redeclare({ declare, host, lost }: GoneQueueParts, group: string, patterns: readonly TopicPattern[]): Promise<void> {
  for (let rest = redeclaresMax; ; rest--) {
    try {
      await declare.group(group, patterns, []);
      return;
    } catch (error) {
      if (rest === 0 || lost() !== undefined) throw error;
      await sleep(host.clock, redeclarePauseMs);
    }
  }
}

function removedError(group: string): HalyardError {
  return new HalyardError("GROUP_REMOVED", `The group ${group} was removed. Subscribe again to make it anew.`, { details: { group } });
}

export function deletedError(what: string): HalyardError {
  return new HalyardError("BACKEND_FAILED", `${what} was deleted on the broker; it is made again.`, { retryable: true });
}
