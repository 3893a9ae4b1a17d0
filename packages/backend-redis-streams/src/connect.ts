/**
 * Opens connections. ioredis' own reconnection, repetition and queues are off: a connection that breaks is over, and the session with it.
 *
 * A cluster needs no cluster client: a namespace lies in one hash slot, so one node has all of it. Any node is asked for a key of the namespace, and
 * where it answers `MOVED`, that is where to go. After a failover the session ends, and the next one asks again.
 */
import { type Clock, HalyardError, type Host } from "@halyard/core/spi";
import { Redis, type RedisOptions } from "ioredis";
import { fromConnecting, movedTo } from "./errors.ts";
import type { RedisAddress, Settings } from "./options.ts";

/** A chain of MOVED answers longer than this is a cluster that does not know its own slots. */
const hopsMax = 5;

export interface Opened {
  readonly client: Redis;
  /** Opens another connection to the same server. `kind` stands behind the client's name in `CLIENT LIST`. */
  another(kind: string): Promise<Redis>;
}

/** Rejects with `AUTH_FAILED`, `NOT_AUTHORIZED`, `TLS_FAILED`, `CONNECT_FAILED`, or `ABORTED` when `signal` aborts. */
export async function openConnection(settings: Settings, root: string, host: Host, signal: AbortSignal): Promise<Opened> {
  const { seeds, where } = settings.connection;
  const places: readonly (RedisAddress | undefined)[] = seeds.length === 0 ? [undefined] : seeds;
  let failure: unknown;
  for (const place of places) {
    try {
      return await openAt(settings, root, host, signal, place);
    } catch (error) {
      failure = fromConnecting(error, where);
      if (signal.aborted || (failure as HalyardError).code !== "CONNECT_FAILED") break;
    }
  }
  throw failure;
}

async function openAt(settings: Settings, root: string, host: Host, signal: AbortSignal, start: RedisAddress | undefined): Promise<Opened> {
  let place = start;
  for (let hop = 0; hop < hopsMax; hop++) {
    const options: RedisOptions = { ...settings.connection.base, ...optionsOf(settings, host), ...(place === undefined ? {} : { ...place }) };
    const openAs = (name: string): Promise<Redis> => open({ ...options, connectionName: name }, host.clock, settings.commandTimeoutMs, signal);
    const client = await openAs(host.clientName);
    try {
      await client.exists(root);
      return { client, another: (kind) => openAs(`${host.clientName}-${kind}`) };
    } catch (error) {
      client.disconnect();
      const moved = movedTo(error);
      if (moved === undefined) throw error;
      place = { host: moved.host ?? options.host ?? "127.0.0.1", port: moved.port };
    }
  }
  throw new HalyardError("CONNECT_FAILED", `The nodes of the cluster send each other's clients in circles (${hopsMax} times MOVED).`);
}

function optionsOf(settings: Settings, host: Host): RedisOptions {
  return {
    lazyConnect: true,
    retryStrategy: () => null,
    // Only this makes a command whose reply was lost reject instead of being sent again by itself (measured on ioredis 6.0.0).
    maxRetriesPerRequest: 0,
    reconnectOnError: null,
    enableReadyCheck: false,
    enableAutoPipelining: false,
    autoResubscribe: false,
    keyPrefix: "",
    protocol: 2,
    connectTimeout: settings.commandTimeoutMs,
    commandTimeout: settings.commandTimeoutMs,
    disableClientInfo: true,
    connectionName: host.clientName,
  };
}

/** Bounded as a whole: ioredis limits the time of the TCP connection, but not how long the server takes to answer. */
async function open(options: RedisOptions, clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<Redis> {
  if (signal.aborted) throw aborted();
  const client = new Redis({ ...options, replyMapping: "legacy" });
  let failure: unknown;
  // Without a listener ioredis writes to the console. What matters reaches us through `connect` and the commands.
  client.on("error", (error: unknown) => {
    failure ??= error;
  });
  const onAbort = (): void => client.disconnect();
  signal.addEventListener("abort", onAbort);
  const cancel = clock.after(timeoutMs, () => {
    failure ??= new HalyardError("CONNECT_FAILED", `Redis did not answer within ${timeoutMs} ms.`);
    client.disconnect();
  });
  try {
    await client.connect();
    return client;
  } catch (error) {
    client.disconnect();
    throw signal.aborted ? aborted() : (failure ?? error);
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

const aborted = (): HalyardError => new HalyardError("ABORTED", "Connecting to Redis was aborted.");
