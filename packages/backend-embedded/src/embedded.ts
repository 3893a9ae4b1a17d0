/** `embedded()`: the options of the client, checked at the call, and the way to its server. */
import type { ConnectionOptions as TlsConnectionOptions } from "node:tls";
import type { Backend, Host, Session } from "@halyard/core/spi";
import { connectOrStart } from "./auto-start.ts";
import { type ConnectOptions, connectSession } from "./client/connect.ts";
import { prepareUserDirectory, userSocketPath } from "./place.ts";
import { heartbeatMsMax } from "./protocol/greeting.ts";
import { checkSocketPath, checkToken, count, hostDefault, invalid, isLoopback, portDefault, rejectUnknown } from "./server/options.ts";

/** Options of `embedded`. */
export interface EmbeddedOptions {
  /** TCP port, and with `autoStart` the name of the user's own socket. Default 31134. */
  readonly port?: number;
  /** Address of a server that somebody else has started. Default 127.0.0.1. */
  readonly host?: string;
  /** Path of a Unix socket, instead of port and host. */
  readonly socketPath?: string;
  /**
   * Starts a server of this user where there is none, as a process of its own. Such a server is reached by a Unix socket that only this user can
   * open, never by TCP. Default: true, unless `tls` or a `host` other than loopback is given.
   */
  readonly autoStart?: boolean;
  /** What the server wants to hear. Given to a server that is started as well. */
  readonly token?: string;
  /** TLS, with Node's options. The server's certificate is always verified; with `cert` and `key` we show ours. */
  readonly tls?: EmbeddedTls;
  /** How often both sides say something at least, milliseconds; a side is dead after three times that in silence. Default 5,000. */
  readonly heartbeatMs?: number;
  /** Longest wait for an answer, milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** A started server ends when no client has been connected for so long and nothing waits, milliseconds. Default 60,000. */
  readonly idleMs?: number;
  /** As `idleMs`, while messages or dead letters wait; what is dropped is in the server's log. Default 600,000. */
  readonly waitingIdleMs?: number;
  /** Further options of a server that is started. Clients that find one running use it as it is. */
  readonly server?: AutoStartedServerOptions;
}

/** The part of Node's TLS options that a client needs. Verification cannot be switched off. */
export type EmbeddedTls = Pick<TlsConnectionOptions, "ca" | "cert" | "key" | "passphrase" | "pfx" | "servername" | "minVersion" | "ciphers">;

/** What a server that is started can be told besides its place. */
export interface AutoStartedServerOptions {
  /** Connections at once. Default 1,024. */
  readonly connectionsMax?: number;
  /** Subscriptions of one connection. Default 1,024. */
  readonly subscriptionsMax?: number;
  /** Longest frame, bytes. Default 17 MiB. */
  readonly frameBytesMax?: number;
  /** Options of `memory()` that are plain data. */
  readonly memory?: Readonly<Record<string, unknown>>;
}

const known: readonly (keyof EmbeddedOptions)[] = [
  "port",
  "host",
  "socketPath",
  "autoStart",
  "token",
  "tls",
  "heartbeatMs",
  "requestTimeoutMs",
  "idleMs",
  "waitingIdleMs",
  "server",
];
const knownOfServer: readonly (keyof AutoStartedServerOptions)[] = ["connectionsMax", "subscriptionsMax", "frameBytesMax", "memory"];
const daysMax = 2 ** 31;

/**
 * The bus between several processes of one machine, with nothing installed.
 *
 * @throws INVALID_OPTIONS
 * @example
 * const bus = await createBus({ backend: embedded() });
 */
export function embedded(options: EmbeddedOptions = {}): Backend {
  const settings = resolve(options);
  return {
    specVersion: 1,
    name: "embedded",
    connect: (host, signal) => connect(settings, host, signal),
  };
}

interface Settings {
  readonly connect: ConnectOptions;
  /** Missing: no server is started. */
  readonly start: { readonly socketPath: string; readonly isUserSocket: boolean; readonly server: Readonly<Record<string, unknown>> } | undefined;
}

async function connect({ connect: options, start }: Settings, host: Host, signal: AbortSignal): Promise<Session> {
  if (start === undefined) return connectSession(options, host, signal);
  const { socketPath, isUserSocket, server } = start;
  if (isUserSocket) await prepareUserDirectory(socketPath);
  return connectOrStart({ connect: { ...options, place: { path: socketPath } }, server }, host, signal);
}

function resolve(options: EmbeddedOptions): Settings {
  rejectUnknown("embedded", options, known);
  const { host = hostDefault, socketPath, token, tls, server = {} } = options;
  const port = count("port", options.port ?? portDefault, 1, 65_535);
  if (typeof host !== "string" || host === "") throw invalid("host must be an address, such as 127.0.0.1.");
  if (socketPath !== undefined) checkSocketPath(socketPath);
  if (socketPath !== undefined && (options.port !== undefined || options.host !== undefined)) throw invalid("Give either socketPath or port and host.");
  checkToken(token);
  checkTls(tls);
  const idleMs = count("idleMs", options.idleMs ?? 60_000, 1, daysMax);
  const waitingIdleMs = count("waitingIdleMs", options.waitingIdleMs ?? Math.max(600_000, idleMs), 1, daysMax);
  if (waitingIdleMs < idleMs) throw invalid("waitingIdleMs must not be below idleMs: a server that holds messages stays at least as long as an empty one.");
  checkServer(server);
  const autoStart = options.autoStart ?? (tls === undefined && isLoopback(host));
  if (typeof autoStart !== "boolean") throw invalid("autoStart must be true or false.");
  if (autoStart && tls !== undefined)
    throw invalid("tls cannot be combined with autoStart: a started server is reached by a Unix socket. Give autoStart: false.");
  if (autoStart && !isLoopback(host)) throw invalid("host cannot be combined with autoStart: a server is started on this machine only. Give autoStart: false.");
  const path = socketPath ?? userSocketPath(port);
  if (autoStart) checkSocketPath(path);
  return {
    connect: {
      place: socketPath === undefined ? { host, port } : { path: socketPath },
      token,
      tls,
      heartbeatMs: count("heartbeatMs", options.heartbeatMs ?? 5_000, 10, heartbeatMsMax),
      requestTimeoutMs: count("requestTimeoutMs", options.requestTimeoutMs ?? 30_000, 10, daysMax),
    },
    start: autoStart ? { socketPath: path, isUserSocket: socketPath === undefined, server: { ...server, token, idleMs, waitingIdleMs } } : undefined,
  };
}

function checkServer(server: AutoStartedServerOptions): void {
  if (typeof server !== "object" || server === null) throw invalid("server must be an object of options.");
  rejectUnknown("server", server, knownOfServer);
  const { connectionsMax, subscriptionsMax, frameBytesMax, memory } = server;
  if (connectionsMax !== undefined) count("server.connectionsMax", connectionsMax, 1, 1_000_000);
  if (subscriptionsMax !== undefined) count("server.subscriptionsMax", subscriptionsMax, 1, 1_000_000);
  if (frameBytesMax !== undefined) count("server.frameBytesMax", frameBytesMax, 128 * 1024, 1024 ** 3);
  if (memory !== undefined && (typeof memory !== "object" || memory === null)) throw invalid("server.memory must be an object of options.");
}

function checkTls(tls: EmbeddedTls | undefined): void {
  if (tls === undefined) return;
  if (typeof tls !== "object" || tls === null) throw invalid("tls must be an object of Node's TLS options; {} trusts the usual authorities.");
  if ("rejectUnauthorized" in tls || "checkServerIdentity" in tls) {
    throw invalid("tls verification cannot be switched off: give tls.ca the certificate of the authority that signed the server's.");
  }
}
