/**
 * Policies of the broker that undo promises: an operator sets them for many queues at once, and ours may be among them. AMQP does not tell them, so they
 * are looked for where the management plugin may be asked. A policy cannot be overruled: the lower one of its limit and that of the queue's argument counts.
 */
import { delayClasses } from "./delay-classes.ts";
import type { Policy } from "./management.ts";
import type { NamespaceNames } from "./names.ts";

/** What each does to a queue that holds messages, retries or dead letters. */
const limits: Readonly<Record<string, string>> = {
  "delivery-limit": "messages that were only given back are dropped",
  "max-length": "messages are dropped, or refused for all groups, when the queue is full",
  "max-length-bytes": "messages are dropped, or refused for all groups, when the queue is full",
  "message-ttl": "messages are dropped unseen, and retries come early",
  expires: "the queue is deleted with what it holds",
};

/** One sentence for each limit of a policy, however many of the queues it holds for. */
export function policyWarnings(names: NamespaceNames, queues: readonly string[], policies: readonly Policy[]): readonly string[] {
  const holds = holdsMessages(names);
  const found = new Map<string, { readonly policy: Policy; readonly limit: string; readonly first: string; count: number }>();
  for (const queue of queues) {
    if (!holds(queue)) continue;
    for (const policy of effective(policies, queue))
      for (const limit of Object.keys(limits)) {
        if (policy.definition[limit] === undefined) continue;
        const key = `${policy.kind}/${policy.name}/${limit}`;
        const entry = found.get(key) ?? { policy, limit, first: queue, count: 0 };
        entry.count++;
        found.set(key, entry);
      }
  }
  return [...found.values()].map(
    ({ policy: { kind, name }, limit, first, count }) =>
      `The ${kind} ${name} sets ${limit} for the queue ${first}${count === 1 ? "" : ` and ${count - 1} more`}: ${limits[limit]}. Let its pattern leave out the queues of this namespace.`,
  );
}

/** One policy and one of operators at most. Those for streams and exchanges concern nothing that holds messages of groups. */
function effective(policies: readonly Policy[], queue: string): readonly Policy[] {
  const matching = policies.filter(({ appliesTo, pattern }) => !["streams", "exchanges"].includes(appliesTo) && matches(pattern, queue));
  return (["policy", "operator policy"] as const).flatMap((kind) => {
    const [highest] = matching.filter((policy) => policy.kind === kind).sort((one, other) => other.priority - one.priority);
    return highest === undefined ? [] : [highest];
  });
}

/** Erlang's expressions are nearly ours. One that we cannot read is left alone rather than taken for a match. */
function matches(pattern: string, queue: string): boolean {
  try {
    return new RegExp(pattern, "u").test(queue);
  } catch {
    return false;
  }
}

function holdsMessages(names: NamespaceNames): (queue: string) => boolean {
  const waitQueues = new Set(delayClasses.map((classMs) => names.waitQueue(classMs)));
  const groupQueues = [names.group, names.dead, names.exclusive].map((make) => groupIn(make));
  return (queue) => waitQueues.has(queue) || groupQueues.some((group) => group(queue) !== undefined);
}

/** Reads the group out of a name that was made of it; `undefined` where it was not. */
export function groupIn(make: (group: string) => string): (name: string) => string | undefined {
  const marker = "halyard-marker";
  const [before = "", after = ""] = make(marker).split(marker);
  return (name) =>
    name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after)
      ? name.slice(before.length, name.length - after.length)
      : undefined;
}
