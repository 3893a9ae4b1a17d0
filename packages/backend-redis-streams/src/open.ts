/**
 * One connection to one server: the only place that makes them, to nodes as to sentinels. ioredis' own reconnection, repetition and queues are off: a
 * connection that breaks is over, and the session with it.
 */
import { type Clock, HalyardError } from "@halyard/core/spi";
import { Redis, type RedisOptions } from "ioredis";
import { isDistrust, isReset } from "./errors.ts";

/** How long a server that hung up is listened to for its reason. It says so at once, if at all. */
const reasonMsMax = 1_000;

export interface OpenParts {
  readonly clock: Clock;
  /** Of connecting as a whole, and of each command. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Rejects with what ioredis, the socket or the server said, or with `ABORTED`. Bounded as a whole: ioredis does not limit how long the server takes to answer. */
export async function open(options: RedisOptions, connectionName: string, parts: OpenParts): Promise<Redis> {
  try {
    return await connect({ ...options, connectionName }, parts);
  } catch (error) {
    if (!options.tls || !isReset(error)) throw error;
    const reason = await reasonOf(options, parts);
    throw parts.signal.aborted ? aborted() : (reason ?? error);
  }
}

async function connect(options: RedisOptions, { clock, timeoutMs, signal }: OpenParts): Promise<Redis> {
  if (signal.aborted) throw aborted();
  const client = clientOf(options, timeoutMs);
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
    leave(client);
    throw signal.aborted ? aborted() : (failure ?? error);
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * TLS 1.3 is through with the handshake before the server has seen our certificate. Where it wants another, what we wrote meanwhile makes it reset the
 * connection, and its reason is lost in more than every third case (measured). To a client that connects and writes nothing it always gets through.
 */
function reasonOf(options: RedisOptions, { clock, timeoutMs, signal }: OpenParts): Promise<unknown> {
  const { username, password, db, connectionName, ...silent } = options; // each of these four would be written
  const client = clientOf(silent, timeoutMs);
  return new Promise((resolve) => {
    const end = (reason?: unknown): void => {
      cancel();
      signal.removeEventListener("abort", onAbort);
      leave(client);
      resolve(isDistrust(reason) ? reason : undefined);
    };
    const onAbort = (): void => end();
    const cancel = clock.after(Math.min(reasonMsMax, timeoutMs), onAbort);
    signal.addEventListener("abort", onAbort);
    client.on("error", end).on("end", onAbort);
    client.connect().catch(() => undefined); // the events tell
  });
}

/** Where the socket is gone already, ioredis would wait two seconds for its end, and with it the process that found no Redis and wants to end. */
function leave(client: Redis): void {
  if (client.stream?.destroyed !== true) client.disconnect();
}

const clientOf = (options: RedisOptions, timeoutMs: number): Redis =>
  new Redis({ ...options, ...verified(options), ...fixedOptions(timeoutMs), replyMapping: "legacy" });

/** Said aloud, because `NODE_TLS_REJECT_UNAUTHORIZED=0` in the environment changes Node's default. Only a client that was handed in can say otherwise. */
function verified({ tls }: RedisOptions): RedisOptions {
  return tls ? { tls: { rejectUnauthorized: true, ...tls } } : {};
}

function fixedOptions(timeoutMs: number): RedisOptions {
  return {
    lazyConnect: true,
    retryStrategy: () => null,
    // Only this makes a command whose reply was lost reject instead of being sent again by itself (measured on ioredis 6.0.0).
    maxRetriesPerRequest: 0,
    reconnectOnError: null,
    enableReadyCheck: false,
    enableAutoPipelining: false,
    autoResubscribe: false,
    // A node of a cluster client that was handed in may be one of its replicas.
    readOnly: false,
    keyPrefix: "",
    protocol: 2,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    disableClientInfo: true,
  };
}

const aborted = (): HalyardError => new HalyardError("ABORTED", "Connecting to Redis was aborted.");
