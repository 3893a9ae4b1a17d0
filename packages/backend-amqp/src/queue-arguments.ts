/**
 * `queue.arguments`: what a user may add to the arguments of our queues. What would drop messages, or hand them to somebody else, is refused with its
 * reason. What says how a queue is replicated goes to every durable queue that is ours, since a dead letter is no less worth than a message.
 */
import { invalid } from "./option-checks.ts";

/** Arguments of a queue, as the broker's own tools show them. */
export type QueueArguments = Readonly<Record<string, string | number | boolean>>;

export interface OwnArguments {
  /** For groups' queues only. */
  readonly groups: QueueArguments;
  /** For every durable quorum queue, those of groups included. */
  readonly replicated: QueueArguments;
  /** The same in the words of streams. */
  readonly streams: QueueArguments;
}

const full = "a queue that is full drops messages, or refuses them for all groups at once";
const elsewhere = "what fails goes to the group's dead letters; nothing else may leave its queue";

/** Each with the promise that it would break. */
const refused: Readonly<Record<string, string>> = {
  "x-queue-type": "say queue.type",
  "x-delivery-limit": "the broker would drop messages that were only given back; attemptsMax of the retry options bounds failures",
  "x-max-length": full,
  "x-max-length-bytes": full,
  "x-overflow": full,
  "x-message-ttl": "messages would be dropped unseen; say messageTtlMs of the subscription, or ttlMs of the message",
  "x-expires": "the queue would be deleted with what it holds; say idleExpiryMs of the subscription",
  "x-dead-letter-exchange": elsewhere,
  "x-dead-letter-routing-key": elsewhere,
  "x-dead-letter-strategy": elsewhere,
  "x-single-active-consumer": "say exclusive of the subscription",
  "x-max-priority": 'classic queues have ten levels, quorum queues none; say queue.type "classic"',
};

/** What means the same on a stream, and how it is called there. */
const streamNames: Readonly<Record<string, string>> = {
  "x-quorum-initial-group-size": "x-initial-cluster-size",
  "x-queue-leader-locator": "x-queue-leader-locator",
};
const replication = new Set([...Object.keys(streamNames), "x-quorum-target-group-size"]);

export function ownArguments(own: unknown, type: "quorum" | "classic"): OwnArguments {
  if (typeof own !== "object" || own === null) throw invalid("queue.arguments", "must be an object");
  const groups: Record<string, string | number | boolean> = {};
  const replicated: Record<string, string | number | boolean> = {};
  const streams: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(own)) {
    const reason = Object.hasOwn(refused, name) ? refused[name] : undefined;
    if (reason !== undefined) throw invalid("queue.arguments", `cannot hold ${name}: ${reason}`);
    if (Buffer.byteLength(name) > 255 || !(["string", "boolean"].includes(typeof value) || Number.isSafeInteger(value)))
      throw invalid(`queue.arguments.${name}`, "must be text, true, false or a whole number");
    if (replication.has(name)) replicated[name] = value;
    // A classic queue has no replicas, and refuses to be asked for them.
    if (!replication.has(name) || type === "quorum" || name === "x-queue-leader-locator") groups[name] = value;
    const streamName = streamNames[name];
    if (streamName !== undefined) streams[streamName] = value;
  }
  return { groups, replicated, streams };
}
