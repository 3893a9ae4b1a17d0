/**
 * `queue.arguments`: what a user may add to the arguments of our queues. What would drop messages, or hand them to somebody else, is refused with its
 * reason. What says how a queue is replicated goes to every durable queue that is ours, since a dead letter is no less worth than a message.
 */
import { invalidOption, type OptionRule } from "@halyard/core/spi";

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

/** AMQP's short strings. */
const argumentBytesMax = 255;

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

/** Refuses what would break a promise, and what AMQP cannot carry. */
export const argumentsRule: OptionRule<QueueArguments> = (name, value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalidOption(name, "must be an object of arguments");
  for (const [argument, given] of Object.entries(value)) {
    const reason = Object.hasOwn(refused, argument) ? refused[argument] : undefined;
    if (reason !== undefined) throw invalidOption(`${name}.${argument}`, `cannot be set: ${reason}`);
    if (Buffer.byteLength(argument) > argumentBytesMax)
      throw invalidOption(name, `cannot hold an argument whose name is longer than ${argumentBytesMax} bytes`);
    if (!(["string", "boolean"].includes(typeof given) || Number.isSafeInteger(given)))
      throw invalidOption(`${name}.${argument}`, "must be text, true, false or a whole number");
  }
  return { ...value };
};

/** To which queues they go. */
export function ownArguments(own: QueueArguments, type: "quorum" | "classic"): OwnArguments {
  const groups: Record<string, string | number | boolean> = {};
  const replicated: Record<string, string | number | boolean> = {};
  const streams: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(own)) {
    if (replication.has(name)) replicated[name] = value;
    // A classic queue has no replicas, and refuses to be asked for them.
    if (!replication.has(name) || type === "quorum" || name === "x-queue-leader-locator") groups[name] = value;
    const streamName = streamNames[name];
    if (streamName !== undefined) streams[streamName] = value;
  }
  return { groups, replicated, streams };
}
