/** `nats()`: the backend. One object may serve several buses and namespaces; each session has a connection of its own. */
import type { Backend, Host, Session } from "@halyard/core/spi";
import { type Neighbours, openConnection } from "./connection.ts";
import { fromConnect } from "./errors.ts";
import { abortable } from "./jetstream-api.ts";
import { topologyOf } from "./names.ts";
import { type NatsOptions, type Settings, settingsOf } from "./options.ts";
import { Stranded } from "./receipts.ts";
import { openSession } from "./session.ts";

/** What one bus leaves behind when its session is lost is given back by its next one. */
const strandedMax = 1_000;

/**
 * Halyard on NATS JetStream, 2.9.4 or newer.
 *
 * @throws INVALID_OPTIONS
 * @example
 * const bus = await createBus({ backend: nats("nats://localhost:4222") });
 */
export function nats(options: string | NatsOptions = {}): Backend {
  const settings = settingsOf(options);
  const neighbours: Neighbours = new Set();
  const stranded = new Map<string, Stranded>();
  return {
    specVersion: 1,
    name: "nats",
    connect: (host, signal) => connect(settings, neighbours, strandedOf(stranded, host), host, signal),
  };
}

function strandedOf(all: Map<string, Stranded>, { namespace, clientName }: Host): Stranded {
  const key = `${namespace} ${clientName}`;
  const known = all.get(key) ?? new Stranded();
  all.delete(key);
  all.set(key, known);
  for (const oldest of all.keys()) {
    if (all.size <= strandedMax) break;
    all.delete(oldest);
  }
  return known;
}

async function connect(settings: Settings, neighbours: Neighbours, stranded: Stranded, host: Host, signal: AbortSignal): Promise<Session> {
  const topology = topologyOf(host.namespace, settings.names);
  const connection = await openConnection(settings, host.clientName, neighbours, signal);
  const opening = openSession({ connection, host, settings, topology, stranded });
  try {
    return await abortable(signal, "Connecting to NATS", opening);
  } catch (thrown) {
    opening.then((late) => late.close()).catch(() => undefined); // came after all, or failed: nobody waits for it any more
    if (settings.connection === undefined) await connection.close();
    throw fromConnect(thrown, settings.where);
  }
}
