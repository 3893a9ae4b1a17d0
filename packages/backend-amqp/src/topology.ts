/** What is declared on the broker, with which arguments and why. Pure: who declares it is `declare.ts`. */
import type { QueueSettings } from "./options.ts";

/** Arguments of a queue, as the broker's own tools show them. */
export type QueueArguments = Readonly<Record<string, string | number | boolean>>;

/**
 * No limit at all, written as one: since RabbitMQ 4.0 a queue without `x-delivery-limit` drops after 20 deliveries, and before that a queue without one
 * puts back what is given back at its end instead of its old place (measured on 3.10). The same on every version, so that an upgrade changes no argument.
 */
export const deliveryLimit = 2_147_483_647;

const quorum: QueueArguments = { "x-queue-type": "quorum", "x-delivery-limit": deliveryLimit };

/** Levels 0–9. */
const priorityMax = 9;

/** A group's queue: `queue.arguments` of the options last, so that they decide. */
export function groupArguments({ type, arguments: own }: QueueSettings, idleExpiryMs: number | undefined): QueueArguments {
  return {
    ...(type === "quorum" ? quorum : { "x-queue-type": "classic", "x-max-priority": priorityMax }),
    ...(idleExpiryMs === undefined ? {} : { "x-expires": Math.max(1, Math.ceil(idleExpiryMs)) }),
    ...own,
  };
}

/** Dead letters have no limit and no time to live: what gave up is evidence. */
export const deadArguments: QueueArguments = quorum;

/**
 * A wait queue. At-least-once dead-lettering removes a copy only when the group's queue has confirmed it, and asks for `reject-publish`. Never
 * `x-expires`: while anything may wait the queue must stay.
 */
export function waitArguments(classMs: number, due: string): QueueArguments {
  return {
    "x-queue-type": "quorum",
    "x-message-ttl": classMs,
    "x-dead-letter-exchange": due,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
  };
}

/** Swallows everything: at-least-once dead-lettering would otherwise hold what waited for a removed group for ever, and block what comes behind. */
export const goneArguments: QueueArguments = { ...quorum, "x-max-length": 0 };

/** Only one consumer of it is active: the active member of an exclusive group. */
export const exclusiveArguments: QueueArguments = { ...quorum, "x-single-active-consumer": true };

/** Room for the newest note only. */
export const heldArguments: QueueArguments = { ...quorum, "x-max-length": 1 };

/** Long enough for members to ask why their consumer was cancelled, short enough to leave nothing behind. */
const removedMarkMs = 60_000;
export const removedArguments: QueueArguments = { ...quorum, "x-expires": removedMarkMs };

export function historyArguments({ maxAgeMs, bytesMax }: { readonly maxAgeMs: number | undefined; readonly bytesMax: number | undefined }): QueueArguments {
  return {
    "x-queue-type": "stream",
    ...(maxAgeMs === undefined ? {} : { "x-max-age": `${Math.max(1, Math.ceil(maxAgeMs / 1_000))}s` }),
    ...(bytesMax === undefined ? {} : { "x-max-length-bytes": bytesMax }),
  };
}

/** Routing key of a copy that waits: the class decides the queue, the group decides where it goes afterwards. */
export const waitKey = (classMs: number, group: string): string => `${classMs}.${group}`;
export const waitBinding = (classMs: number): string => `${classMs}.*`;
export const dueBinding = (group: string): string => `*.${group}`;

/** A routing key that no wait queue is bound to: what is published with it is confirmed and stored nowhere. */
export const pingKey = "ping";
