/** What a server can be told, checked at the call. */
import type { SecureContextOptions } from "node:tls";
import type { Backend, Clock } from "@halyard/core/spi";
import { HalyardError, systemClock } from "@halyard/core/spi";

export const portDefault = 31_134;
export const hostDefault = "127.0.0.1";

/** Options of `startEmbeddedServer`. */
export interface EmbeddedServerOptions {
  /** What holds the messages. Default: `memory()`. */
  readonly backend?: Backend;
  /** TCP port; 0: any free one. Default 31134, or none where only `socketPath` is given. */
  readonly port?: number;
  /** Address to bind. Default 127.0.0.1. Any other than loopback needs `token` or `tls`. */
  readonly host?: string;
  /** Path of a Unix socket, instead of the port or, where `port` is given as well, beside it. */
  readonly socketPath?: string;
  /** Clients must say it, 1 to 4,096 characters. Default: none. */
  readonly token?: string;
  /** Certificate and key; with `ca`, clients must show a certificate of it (mTLS). */
  readonly tls?: ServerTls;
  /** Connections at once. Default 1,024. */
  readonly connectionsMax?: number;
  /** Subscriptions of one connection. Default 1,024. */
  readonly subscriptionsMax?: number;
  /** Longest frame taken from a client, bytes. Default 17 MiB: a body of 16 MiB with its headers. */
  readonly frameBytesMax?: number;
  /** Requests of one connection that wait for the backend; above it the client is not read. Default 4,096. */
  readonly requestsMax?: number;
  /** Bytes of such requests. Default 32 MiB. */
  readonly requestBytesMax?: number;
  /** Time from connection to hello, milliseconds. Default 10,000. */
  readonly helloTimeoutMs?: number;
  /** For tests. Default: the system's. */
  readonly clock?: Clock;
}

/** The part of Node's TLS options that a server needs. Verification cannot be switched off. */
export type ServerTls = Pick<SecureContextOptions, "cert" | "key" | "ca" | "passphrase" | "pfx" | "minVersion" | "ciphers">;

export interface ServerSettings {
  readonly listen: { readonly port: number; readonly host: string } | undefined;
  readonly socketPath: string | undefined;
  readonly token: string | undefined;
  readonly tls: ServerTls | undefined;
  readonly connectionsMax: number;
  readonly subscriptionsMax: number;
  readonly frameBytesMax: number;
  readonly requestsMax: number;
  readonly requestBytesMax: number;
  readonly helloTimeoutMs: number;
  readonly clock: Clock;
}

const mebibyte = 1024 * 1024;
const known: readonly (keyof EmbeddedServerOptions)[] = [
  "backend",
  "port",
  "host",
  "socketPath",
  "token",
  "tls",
  "connectionsMax",
  "subscriptionsMax",
  "frameBytesMax",
  "requestsMax",
  "requestBytesMax",
  "helloTimeoutMs",
  "clock",
];

/** @throws INVALID_OPTIONS */
export function resolveServerOptions(options: EmbeddedServerOptions): ServerSettings {
  rejectUnknown("startEmbeddedServer", options, known);
  const { host = hostDefault, socketPath, token, tls } = options;
  checkToken(token);
  if (socketPath !== undefined) checkSocketPath(socketPath);
  const hasPort = options.port !== undefined || socketPath === undefined;
  const port = count("port", options.port ?? portDefault, 0, 65_535);
  if (typeof host !== "string" || host === "") throw invalid("host must be an address, such as 127.0.0.1.");
  if (tls !== undefined && tls.pfx === undefined && (tls.cert === undefined || tls.key === undefined)) throw invalid("tls needs cert and key (or pfx).");
  if (hasPort && !isLoopback(host) && token === undefined && tls?.ca === undefined) {
    throw invalid(
      `host ${JSON.stringify(host)} can be reached from other machines: give the option token, or tls with ca so that clients must show a certificate.`,
    );
  }
  return {
    listen: hasPort ? { port, host } : undefined,
    socketPath,
    token,
    tls,
    connectionsMax: count("connectionsMax", options.connectionsMax ?? 1_024, 1, 1_000_000),
    subscriptionsMax: count("subscriptionsMax", options.subscriptionsMax ?? 1_024, 1, 1_000_000),
    frameBytesMax: count("frameBytesMax", options.frameBytesMax ?? 17 * mebibyte, 128 * 1024, 1024 * mebibyte),
    requestsMax: count("requestsMax", options.requestsMax ?? 4_096, 1, 1_000_000),
    requestBytesMax: count("requestBytesMax", options.requestBytesMax ?? 32 * mebibyte, 1, 1024 * mebibyte),
    helloTimeoutMs: count("helloTimeoutMs", options.helloTimeoutMs ?? 10_000, 1, 600_000),
    clock: options.clock ?? systemClock,
  };
}

/** @throws INVALID_OPTIONS */
export function rejectUnknown(place: string, options: object, names: readonly string[]): void {
  for (const name of Object.keys(options))
    if (!names.includes(name)) throw invalid(`${place} has no option ${JSON.stringify(name)}. Known: ${names.join(", ")}.`);
}

/** @throws INVALID_OPTIONS */
export function count(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid(`${name} must be a whole number from ${min} to ${max}.`);
}

/** The message never shows the token. @throws INVALID_OPTIONS */
export function checkToken(token: unknown): void {
  if (token === undefined || (typeof token === "string" && token.length >= 1 && token.length <= 4_096)) return;
  throw invalid("token must be a text of 1 to 4,096 characters.");
}

/** What `sockaddr_un` takes on every platform, less what we append for a socket's own name. */
const socketPathBytesMax = 80;

/** @throws INVALID_OPTIONS */
export function checkSocketPath(path: unknown): void {
  const isFit = typeof path === "string" && path.startsWith("/") && !path.includes("\0") && Buffer.byteLength(path) <= socketPathBytesMax;
  if (!isFit) throw invalid(`socketPath must be an absolute path of at most ${socketPathBytesMax} bytes: operating systems take no longer ones for sockets.`);
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

export function invalid(text: string): HalyardError {
  return new HalyardError("INVALID_OPTIONS", text);
}
