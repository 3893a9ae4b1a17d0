/**
 * Live subscriptions: Redis pub-sub on a connection of its own. The publish script sends each message once, after dedup, to those of three channels
 * that somebody hears: the one of its topic, the one of all topics with its first word, the one of all topics. A pattern listens to the narrowest that
 * has all it matches; the rest is decided here.
 *
 * Not `PSUBSCRIBE`: Redis lets a user subscribe to a glob only where an ACL rule has that very glob.
 */
import type { BackendSubscription, HalyardError, Host, TopicPattern, WireMessage } from "@halyard/core/spi";
import type { Redis } from "ioredis";
import { LiveSubscription } from "./live-subscription.ts";
import { unpackStrings } from "./packer.ts";
import { readMessage } from "./wire.ts";

/** A channel, and the topics that come through it. */
export interface Source {
  readonly name: string;
  covers(topic: string): boolean;
}

export class LiveHub {
  readonly #client: Redis;
  readonly #host: Host;
  /** What every topic's channel begins with. */
  readonly #start: string;
  readonly #subscriptions = new Set<LiveSubscription>();
  /** How many subscriptions want each source. */
  readonly #wanted = new Map<string, number>();
  /** A position of our own for messages without an id, which pub-sub has none for. */
  #arrivals = 0;

  constructor(client: Redis, host: Host, start: string) {
    this.#client = client;
    this.#host = host;
    this.#start = start;
    client.on("messageBuffer", (channel: Buffer, bytes: Buffer) => this.#onMessage(String(channel), bytes));
  }

  async subscribe(patterns: readonly TopicPattern[], inFlightMax: number): Promise<BackendSubscription> {
    const sources = sourcesOf(patterns, this.#start);
    const subscription = new LiveSubscription(patterns, sources, inFlightMax, this.#host, () => this.#leave(subscription));
    this.#subscriptions.add(subscription);
    for (const name of this.#channelsOf(subscription)) {
      this.#wanted.set(name, (this.#wanted.get(name) ?? 0) + 1);
      await this.#client.subscribe(name);
    }
    return subscription;
  }

  /** The session is over. */
  end(error: HalyardError): void {
    for (const subscription of this.#subscriptions) subscription.fail(error);
    this.#subscriptions.clear();
  }

  async #leave(subscription: LiveSubscription): Promise<void> {
    if (!this.#subscriptions.delete(subscription)) return;
    for (const name of this.#channelsOf(subscription)) {
      const rest = (this.#wanted.get(name) ?? 1) - 1;
      if (rest > 0) this.#wanted.set(name, rest);
      else {
        this.#wanted.delete(name);
        await this.#client.unsubscribe(name);
      }
    }
  }

  /** Its sources, and the channel without a topic: nothing comes through that one, but the publish script looks there first whether anybody listens. */
  #channelsOf({ sources }: LiveSubscription): readonly string[] {
    return [this.#start, ...sources.map(({ name }) => name)];
  }

  #onMessage(channel: string, bytes: Buffer): void {
    if (!channel.startsWith(this.#start)) return; // the bell
    const fallback = channel.slice(this.#start.length).replace(/\.?#$/, "") || "unknown";
    const topic = this.#read(bytes, fallback)?.topic;
    if (topic === undefined) return;
    for (const subscription of this.#subscriptions) {
      // One message comes once through each of our channels that has it: each subscription takes it from its own first.
      if (subscription.sources.find((one) => one.covers(topic))?.name !== channel || !subscription.matches(topic)) continue;
      const message = this.#read(bytes, fallback);
      if (message !== undefined) subscription.deliver(message);
    }
  }

  /** For each subscription anew: nobody sees what another does to a message. */
  #read(bytes: Buffer, topic: string): WireMessage | undefined {
    const values = unpackStrings(Buffer.from(bytes));
    return values && readMessage(values, { entryId: `${this.#host.clock.nowMs()}-${this.#arrivals++}`, topic });
  }
}

function sourcesOf(patterns: readonly TopicPattern[], start: string): readonly Source[] {
  const sources = new Map<string, Source>();
  for (const { text } of patterns) {
    const source = sourceOf(text, start);
    sources.set(source.name, source);
  }
  return [...sources.values()];
}

/** The narrowest channel that has all topics of a pattern. */
export function sourceOf(pattern: string, start: string): Source {
  if (!/[*#]/.test(pattern)) return { name: start + pattern, covers: (topic) => topic === pattern };
  const [first = ""] = pattern.split(".");
  if (first === "*" || first === "#") return { name: `${start}#`, covers: () => true };
  return { name: `${start}${first}.#`, covers: (topic) => topic === first || topic.startsWith(`${first}.`) };
}
