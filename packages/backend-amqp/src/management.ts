/**
 * What only RabbitMQ's HTTP API knows: which groups there are, who consumes them, what is unacked. Asked with `fetch`, and only where its URL was given.
 * Its numbers are gathered every 5 s from what queues tell every 5 s. Measured on 3.10: a new consumer shows after up to 5 s, one that is cancelled is
 * gone at once, messages count up to 10 s late and not at all before.
 */
import { HalyardError } from "@halyard/core/spi";
import type { Settings } from "./options.ts";

export interface QueueFacts {
  /** Handed over and not settled. */
  readonly unacked: number | undefined;
  readonly consumers: readonly ConsumerFacts[];
}

export interface ConsumerFacts {
  /** Name of the consumer's channel, which no other channel of the broker has. */
  readonly channel: string;
  /** False: it waits until it is the single active consumer. */
  readonly isActive: boolean;
}

/** What an administrator wants of all queues whose names match. Of each kind the one with the highest priority holds. */
export interface Policy {
  readonly name: string;
  readonly kind: "policy" | "operator policy";
  /** Regular expression. */
  readonly pattern: string;
  readonly priority: number;
  /** `all`, `queues`, `quorum_queues`, `classic_queues`, `streams` or `exchanges`. */
  readonly appliesTo: string;
  readonly definition: Readonly<Record<string, unknown>>;
}

export interface Management {
  /** False: this is another vhost, or another broker, than the one that we are connected to. */
  hasExchange(name: string, signal: AbortSignal): Promise<boolean>;
  /** Names of all queues of the vhost. */
  queues(signal: AbortSignal): Promise<readonly string[]>;
  policies(signal: AbortSignal): Promise<readonly Policy[]>;
  queue(name: string, signal: AbortSignal): Promise<QueueFacts | undefined>;
  /** Keys that bind the exchange to the queue. */
  bindings(exchange: string, queue: string, signal: AbortSignal): Promise<readonly string[]>;
  nodes(signal: AbortSignal): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

export function managementOf({ managementUrl, place }: Settings): Management | undefined {
  if (managementUrl === undefined) return undefined;
  const url = new URL(managementUrl);
  const user = url.username === "" ? place.user : decodeURIComponent(url.username);
  const password = url.password === "" ? place.password : decodeURIComponent(url.password);
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const base = `${url.origin}${url.pathname.replace(/\/$/, "")}/api`;
  const vhost = encodeURIComponent(place.vhost);

  async function get(path: string, signal: AbortSignal): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`${base}/${path}`, { headers: { authorization }, signal });
    } catch (thrown) {
      throw new HalyardError("BACKEND_FAILED", `The management plugin at ${url.origin} cannot be reached: check managementUrl.`, {
        cause: thrown,
        retryable: true,
      });
    }
    if (response.status === 404) return undefined;
    if (response.ok) return response.json();
    await response.body?.cancel();
    const answered = `The management plugin at ${url.origin} answered ${response.status}`;
    if (response.status === 401 || response.status === 403)
      throw new HalyardError("NOT_AUTHORIZED", `${answered}: the user needs the tag "monitoring" or "management".`);
    // E.g. 500 where a queue was deleted while all were listed (seen on 3.10.8).
    throw new HalyardError("BACKEND_FAILED", `${answered}: try again, and look at the broker's log where that does not help.`, { retryable: true });
  }

  let isOurs = false;
  return {
    async hasExchange(name, signal) {
      isOurs ||= (await get(`exchanges/${vhost}/${encodeURIComponent(name)}`, signal)) !== undefined;
      return isOurs;
    },
    async queues(signal) {
      const found = await get(`queues/${vhost}?disable_stats=true&columns=name`, signal);
      return list(found).map(({ name }) => String(name));
    },
    async policies(signal) {
      const [policies, operators] = await Promise.all([get(`policies/${vhost}`, signal), get(`operator-policies/${vhost}`, signal)]);
      return [...list(policies).map((one) => policyOf(one, "policy")), ...list(operators).map((one) => policyOf(one, "operator policy"))];
    },
    async queue(name, signal) {
      const found = await get(`queues/${vhost}/${encodeURIComponent(name)}`, signal);
      return found === undefined ? undefined : factsOf(record(found));
    },
    async bindings(exchange, queue, signal) {
      const found = await get(`bindings/${vhost}/e/${encodeURIComponent(exchange)}/q/${encodeURIComponent(queue)}`, signal);
      return list(found).map(({ routing_key }) => String(routing_key));
    },
    nodes: async (signal) => list(await get("nodes", signal)),
  };
}

function factsOf({ messages_unacknowledged, consumer_details }: Readonly<Record<string, unknown>>): QueueFacts {
  const consumers = list(consumer_details).map(({ channel_details, active }) => ({
    channel: String(record(channel_details).name),
    isActive: active !== false,
  }));
  return { unacked: numberOf(messages_unacknowledged), consumers };
}

function policyOf({ name, pattern, priority, definition, "apply-to": appliesTo }: Readonly<Record<string, unknown>>, kind: Policy["kind"]): Policy {
  return {
    name: String(name),
    kind,
    pattern: String(pattern),
    priority: numberOf(priority) ?? 0,
    appliesTo: String(appliesTo),
    definition: record(definition),
  };
}

const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

const list = (value: unknown): readonly Readonly<Record<string, unknown>>[] => (Array.isArray(value) ? value.map(record) : []);
