/** What only RabbitMQ's HTTP API knows: which groups and topics there are. Asked with `fetch`, and only where its URL was given. */
import { HalyardError, type Host } from "@halyard/core/spi";
import type { Settings } from "./options.ts";

export interface QueueFacts {
  readonly name: string;
  readonly ready: number | undefined;
  readonly unacked: number | undefined;
  /** Tags of the queue's consumers, where asked. */
  readonly consumers: readonly string[] | undefined;
}

export interface Management {
  queues(signal: AbortSignal): Promise<readonly QueueFacts[]>;
  queue(name: string, signal: AbortSignal): Promise<QueueFacts | undefined>;
  /** Keys that bind the exchange to the queue. */
  bindings(exchange: string, queue: string, signal: AbortSignal): Promise<readonly string[]>;
  nodes(signal: AbortSignal): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

export function managementOf({ managementUrl, place }: Settings, _host: Host): Management | undefined {
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
    const code = response.status === 401 || response.status === 403 ? "NOT_AUTHORIZED" : "BACKEND_FAILED";
    throw new HalyardError(code, `The management plugin at ${url.origin} answered ${response.status}: the user needs the tag "monitoring" or "management".`);
  }

  return {
    async queues(signal) {
      const found = await get(`queues/${vhost}?disable_stats=false&columns=name,messages_ready,messages_unacknowledged`, signal);
      return list(found).map((one) => factsOf(one));
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

function factsOf(facts: Readonly<Record<string, unknown>>): QueueFacts {
  const { name, messages_ready, messages_unacknowledged, consumer_details } = facts;
  return {
    name: String(name),
    ready: numberOf(messages_ready),
    unacked: numberOf(messages_unacknowledged),
    consumers: Array.isArray(consumer_details) ? list(consumer_details).map(({ consumer_tag }) => String(consumer_tag)) : undefined,
  };
}

const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

const list = (value: unknown): readonly Readonly<Record<string, unknown>>[] => (Array.isArray(value) ? value.map(record) : []);
