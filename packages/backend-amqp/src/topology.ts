/** What is declared on the broker, with which arguments and why. Pure: who declares it is `declare.ts`. */
import type { QueueSettings, Settings } from "./options.ts";
import type { QueueArguments } from "./queue-arguments.ts";

/**
 * No limit at all, written as one: since RabbitMQ 4.0 a queue without `x-delivery-limit` drops after 20 deliveries, and before that a queue without one
 * puts back what is given back at its end instead of its old place (measured on 3.10). The same on every version, so that an upgrade changes no argument;
 * -1, which means no limit since 4.0, is refused by 3.x. Every quorum queue of ours has it, so that no default of a later version ever counts.
 */
const deliveryLimit = 2_147_483_647;

const quorum: QueueArguments = { "x-queue-type": "quorum", "x-delivery-limit": deliveryLimit };

/** Levels 0–9. */
const priorityMax = 9;

/** A group's queue. */
export function groupArguments({ type, own }: QueueSettings, idleExpiryMs: number | undefined): QueueArguments {
  return {
    ...(type === "quorum" ? quorum : { "x-queue-type": "classic", "x-max-priority": priorityMax }),
    ...(idleExpiryMs === undefined ? {} : { "x-expires": Math.max(1, Math.ceil(idleExpiryMs)) }),
    ...own.groups,
  };
}

/** Dead letters have no limit and no time to live: what gave up is evidence. */
export const deadArguments = ({ own }: QueueSettings): QueueArguments => ({ ...quorum, ...own.replicated });

/**
 * A wait queue. At-least-once dead-lettering removes a copy only when the group's queue has confirmed it, and asks for `reject-publish`. Never
 * `x-expires`: while anything may wait the queue must stay.
 */
export function waitArguments({ own }: QueueSettings, classMs: number, due: string): QueueArguments {
  return {
    ...quorum,
    "x-message-ttl": classMs,
    "x-dead-letter-exchange": due,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
    ...own.replicated,
  };
}

/** Swallows everything: at-least-once dead-lettering would otherwise hold what waited for a removed group for ever, and block what comes behind. */
export const goneArguments = ({ own }: QueueSettings): QueueArguments => ({ ...quorum, "x-max-length": 0, ...own.replicated });

/** Only one consumer of it is active: the active member of an exclusive group. */
export const exclusiveArguments = ({ own }: QueueSettings): QueueArguments => ({ ...quorum, "x-single-active-consumer": true, ...own.replicated });

/** Room for the newest note only. */
export const heldArguments: QueueArguments = { ...quorum, "x-max-length": 1 };

/** Longer than anything waits on the ladder, and long enough for members to ask why their consumer was cancelled. */
const removedMs = 3_600_000;
/** Classic, since only a classic queue can be deleted on the condition that it is empty; made and deleted often, and worth no replicas. */
export const removedArguments: QueueArguments = { "x-queue-type": "classic", "x-expires": removedMs };

export function historyArguments({ own }: QueueSettings, { maxAgeMs, bytesMax }: NonNullable<Settings["history"]>): QueueArguments {
  return {
    "x-queue-type": "stream",
    ...(maxAgeMs === undefined ? {} : { "x-max-age": `${Math.max(1, Math.ceil(maxAgeMs / 1_000))}s` }),
    ...(bytesMax === undefined ? {} : { "x-max-length-bytes": bytesMax }),
    ...own.streams,
  };
}

/** Routing key of a copy that waits: the class decides the queue, the group and its life (see `group-life.ts`) decide where it goes afterwards. */
export const waitKey = (classMs: number, group: string, life: number): string => `${classMs}.${group}.${life}`;
export const waitBinding = (classMs: number): string => `${classMs}.*.*`;
export const dueBinding = (group: string, life: number): string => `*.${group}.${life}`;

/** A routing key that no wait queue is bound to: what is published with it is confirmed and stored nowhere. */
export const pingKey = "ping";
