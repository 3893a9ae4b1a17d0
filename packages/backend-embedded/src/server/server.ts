/** The server: any backend behind a socket. Accepts connections within its caps; each becomes a `Connection`. */
import { randomBytes } from "node:crypto";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import { memory } from "@halyard/backend-memory";
import type { Backend } from "@halyard/core/spi";
import { HalyardError, sleep } from "@halyard/core/spi";
import { ChunkPool } from "../protocol/frame-writer.ts";
import { Connection } from "./connection.ts";
import { type EmbeddedServerOptions, resolveServerOptions, type ServerSettings } from "./options.ts";
import { claimSocket } from "./socket-claim.ts";

/** Connections that have not said hello yet; one more makes the oldest of them go, so that nobody can take all places by saying nothing. */
const strangersMax = 128;
/** How long `close` waits for requests that the backend has not answered. */
const drainMsMax = 5_000;
const drainStepMs = 10;

/** A running server. */
export interface EmbeddedServer {
  /** Where it listens on TCP, with the port that was chosen where 0 was asked for. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** Where it listens on a Unix socket. */
  readonly socketPath: string | undefined;
  /** Numbers of this moment. */
  stats(): EmbeddedServerStats;
  /** Takes no more clients, answers what is open (5 s at most), tells the clients and ends. What the backend held in memory is gone. Idempotent. */
  close(): Promise<void>;
}

export interface EmbeddedServerStats {
  /** Clients that were let in and are connected. */
  readonly clients: number;
  /** All connections, also those that have not said hello. */
  readonly connections: number;
  readonly subscriptions: number;
  /** Clients let in since the start. */
  readonly clientsInAll: number;
  /** Connections turned away since the start: too many, no hello, wrong token, broken protocol. */
  readonly refusedInAll: number;
  /** Namespaces that clients have named since the start. */
  readonly namespaces: readonly string[];
}

/**
 * Starts a server in this process.
 *
 * @throws INVALID_OPTIONS at the call; rejects with `CONNECT_FAILED` where the address cannot be bound.
 * @example
 * const server = await startEmbeddedServer({ port: 41134 });
 * const bus = await createBus({ backend: embedded({ port: 41134, autoStart: false }) });
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions = {}): Promise<EmbeddedServer> {
  const settings = resolveServerOptions(options);
  const server = new ListeningServer(settings, options.backend ?? memory());
  await server.listen();
  return server;
}

class ListeningServer implements EmbeddedServer {
  address: { readonly host: string; readonly port: number } | undefined = undefined;
  readonly socketPath: string | undefined;
  readonly #settings: ServerSettings;
  readonly #backend: Backend;
  readonly #pool = new ChunkPool();
  readonly #listeners: Server[] = [];
  readonly #connections = new Set<Connection>();
  readonly #strangers = new Set<Connection>();
  readonly #namespaces = new Set<string>();
  /** The connection of each client that was let in. */
  readonly #clients = new Map<string, Connection>();
  #clientsInAll = 0;
  #refusedInAll = 0;
  #closing: Promise<void> | undefined;
  #release: () => Promise<void> = async () => undefined;

  constructor(settings: ServerSettings, backend: Backend) {
    this.#settings = settings;
    this.#backend = backend;
    this.socketPath = settings.socketPath;
  }

  stats(): EmbeddedServerStats {
    let subscriptions = 0;
    for (const connection of this.#connections) subscriptions += connection.subscriptions;
    return {
      clients: this.#connections.size - this.#strangers.size,
      connections: this.#connections.size,
      subscriptions,
      clientsInAll: this.#clientsInAll,
      refusedInAll: this.#refusedInAll,
      namespaces: [...this.#namespaces],
    };
  }

  async listen(): Promise<void> {
    const { listen, socketPath } = this.#settings;
    try {
      if (socketPath !== undefined) {
        const listener = this.#listener();
        this.#release = await claimSocket(socketPath, (path) => bind(listener, { path }));
      }
      if (listen !== undefined) {
        const listener = this.#listener();
        await bind(listener, listen);
        const { address, port } = listener.address() as AddressInfo;
        this.address = { host: address, port };
      }
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const ended = this.#listeners.map((listener) => new Promise<void>((resolve) => listener.close(() => resolve())));
    for (const stranger of this.#strangers) stranger.destroy();
    await this.#drained();
    const goodbye = new HalyardError("CONNECTION_LOST", "The embedded server is closing.");
    for (const connection of this.#connections) connection.end(goodbye);
    await this.#release();
    await Promise.all(ended);
  }

  async #drained(): Promise<void> {
    const { clock } = this.#settings;
    const giveUpMs = clock.monotonicMs() + drainMsMax;
    const isBusy = (): boolean => [...this.#connections].some((connection) => connection.openRequests > 0);
    while (isBusy() && clock.monotonicMs() < giveUpMs) await sleep(clock, drainStepMs);
  }

  #listener(): Server {
    const { tls } = this.#settings;
    const accept = (socket: Socket): void => this.#accept(socket);
    const listener =
      tls === undefined
        ? createServer({ noDelay: true }, accept)
        : createTlsServer({ ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: false, handshakeTimeout: this.#settings.helloTimeoutMs }, accept);
    listener.maxConnections = this.#settings.connectionsMax;
    listener.on("drop", () => this.#refusedInAll++);
    listener.on("tlsClientError", (_error: Error, socket: Socket) => {
      this.#refusedInAll++;
      socket.destroy();
    });
    this.#listeners.push(listener);
    return listener;
  }

  #accept(socket: Socket): void {
    if (this.#closing !== undefined || this.#connections.size >= this.#settings.connectionsMax) {
      this.#refusedInAll++;
      socket.destroy();
      return;
    }
    if (this.#strangers.size >= strangersMax) for (const oldest of [...this.#strangers].slice(0, 1)) oldest.destroy();
    const connection = new Connection({
      socket,
      pool: this.#pool,
      backend: this.#backend,
      settings: this.#settings,
      random,
      onOpen: (opened) => this.#onOpen(opened),
      onEnd: (ended) => this.#onEnd(ended),
    });
    this.#connections.add(connection);
    this.#strangers.add(connection);
    // Verified here instead of by Node, which resets the connection: this way the client learns why. Nothing that it says is read.
    if (this.#settings.tls?.ca !== undefined && !(socket instanceof TLSSocket && socket.authorized)) connection.end(noCertificate());
  }

  #onOpen(connection: Connection): void {
    this.#strangers.delete(connection);
    // A client has one session at a time: an older connection of it is one that it has given up and we have not yet seen break. Left alone it would
    // take messages that nobody reads, again and again, until they look as if they had killed somebody.
    const name = nameOf(connection);
    this.#clients.get(name)?.destroy();
    this.#clients.set(name, connection);
    this.#clientsInAll++;
    this.#namespaces.add(connection.namespace);
  }

  #onEnd(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#clients.get(nameOf(connection)) === connection) this.#clients.delete(nameOf(connection));
    if (this.#strangers.delete(connection)) this.#refusedInAll++;
  }
}

/** Once it listens, an error of the listener (too many open files) must not end the process; the next connection is tried again. */
function bind(listener: Server, where: { readonly path: string } | { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once("error", (cause: NodeJS.ErrnoException) => {
      const place = "path" in where ? where.path : `${where.host}:${where.port}`;
      const advice = cause.code === "EADDRINUSE" ? "another server listens there: choose another port or socketPath, or stop it" : cause.message;
      reject(
        new HalyardError("CONNECT_FAILED", `The embedded server cannot listen on ${place}: ${advice}.`, {
          cause,
          retryable: false,
          details: { errno: cause.code },
        }),
      );
    });
    listener.listen({ ...where, backlog: 511 }, () => {
      listener.on("error", () => undefined);
      resolve();
    });
  });
}

/** Neither part can hold a space. */
function nameOf({ namespace, clientName }: Connection): string {
  return `${namespace} ${clientName}`;
}

function noCertificate(): HalyardError {
  return new HalyardError("TLS_FAILED", "The embedded server accepts only clients that show a certificate of its authority: give tls.cert and tls.key.");
}

/** 48 random bits as a number in [0, 1). */
function random(): number {
  return randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
}
