/**
 * One connection of the client library, with its own reconnection off: core opens the next one. The client keeps a list of the cluster's servers that
 * ends with the connection, so what a server told about its neighbours is remembered for the next one.
 */
import { HalyardError } from "@halyard/core/spi";
import { type ConnectionOptions, connect, type NatsConnection } from "@nats-io/transport-node";
import { dial } from "./dialing.ts";
import { fromConnect } from "./errors.ts";
import type { Settings } from "./options.ts";

/** Questions without an answer after which the server is dead. */
const pingsMax = 2;

/** Servers of the cluster that we were told of, over all connections of one backend. */
export type Neighbours = Set<string>;
const neighboursMax = 64;

/**
 * Rejects with `AUTH_FAILED`, `TLS_FAILED` or `CONNECT_FAILED`. When `signal` aborts meanwhile, the connection is closed as soon as it is there.
 */
export async function openConnection(settings: Settings, name: string, neighbours: Neighbours, signal: AbortSignal): Promise<NatsConnection> {
  if (settings.connection !== undefined) return given(settings.connection);
  const { connection: dialing, giveUp } = dial(() => connect(connectionOptions(settings, name, neighbours)));
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(new HalyardError("ABORTED", "Connecting to NATS was given up."));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    void dialing.then(
      () => signal.removeEventListener("abort", abort),
      () => signal.removeEventListener("abort", abort),
    );
  });
  try {
    const connection = await Promise.race([dialing, aborted]);
    remember(connection, neighbours);
    return connection;
  } catch (error) {
    giveUp();
    void dialing.then((late) => late.close()).catch(() => undefined); // came after all, or failed: nobody waits for it any more
    throw fromConnect(error, settings.where);
  }
}

function connectionOptions(settings: Settings, name: string, neighbours: Neighbours): ConnectionOptions {
  const { servers, user, password, token, authenticators, tls, inboxPrefix, connectTimeoutMs, pingIntervalMs } = settings;
  return {
    servers: [...new Set([...servers, ...neighbours])],
    name,
    reconnect: false,
    waitOnFirstConnect: false,
    noAsyncTraces: true, // a stack trace per request otherwise: 33,000 instead of 53,000 a second, measured
    maxPingOut: pingsMax,
    pingInterval: pingIntervalMs,
    timeout: connectTimeoutMs,
    inboxPrefix,
    ...(user === undefined ? {} : { user, pass: password ?? "" }),
    ...(token === undefined ? {} : { token }),
    ...(authenticators.length === 0 ? {} : { authenticator: authenticators }),
    ...(tls === undefined ? {} : { tls: { ...tls } }),
  };
}

function remember(connection: NatsConnection, neighbours: Neighbours): void {
  for (const server of connection.info?.connect_urls ?? []) if (neighbours.size < neighboursMax) neighbours.add(server);
}

async function given(connection: NatsConnection): Promise<NatsConnection> {
  if (connection.isClosed() || connection.isDraining())
    throw new HalyardError("CONNECT_FAILED", "The connection that was handed in is closed: hand in a new one with a new backend.", { retryable: false });
  return connection;
}

export const closeError = (thrown: unknown, where: string): HalyardError => {
  const error = fromConnect(thrown ?? new Error("the server closed the connection"), where);
  return error.code === "CONNECT_FAILED"
    ? new HalyardError("CONNECTION_LOST", `The connection to the NATS server at ${where} was lost.`, { cause: error.cause ?? error })
    : error;
};
