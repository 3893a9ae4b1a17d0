/** The options of `nats()`: what they mean, their defaults, and what is refused. Everything is checked at the call, so a misspelt name is never ignored. */
import { HalyardError } from "@halyard/core/spi";
import { type Authenticator, credsAuthenticator, type NatsConnection, nkeyAuthenticator, type TlsOptions } from "@nats-io/transport-node";
import type { NatsNames } from "./names.ts";

/** How the stream of the topics is made. A stream that exists is used as it is, and what Halyard relies on is compared field by field. */
export interface NatsStreamOptions {
  /**
   * `"handled"` (default): what every group has handled is removed, by the sessions, a few seconds later. Storage is bounded by what waits, and nothing
   * that a group has not handled is ever dropped. `"limits"`: messages stay until `maxAgeMs` or until the stream is full: that gives history and groups that start
   * earlier, and a group that falls behind further than the limits loses messages.
   */
  readonly retention?: "handled" | "limits";
  /** Default `"file"`. */
  readonly storage?: "file" | "memory";
  /** Copies in a cluster, 1 to 5. Default 1. */
  readonly replicas?: number;
  /** With `"limits"`: how long messages are kept, milliseconds. Default 604,800,000 (7 days). Not with `"handled"`. */
  readonly maxAgeMs?: number;
  /** Most bytes in the stream; a publish beyond them is refused with `BACKPRESSURE`. Default: what the server has. */
  readonly maxBytes?: number;
  /** Most messages in the stream; a publish beyond them is refused with `BACKPRESSURE`. Default: no bound. */
  readonly maxMessages?: number;
}

export interface NatsOptions {
  /** `nats://host:4222`, `tls://host`; several joined by commas are one cluster. User and password may stand in it. Default `nats://127.0.0.1:4222`. */
  readonly url?: string;
  /** Instead of `url`: the servers of a cluster. They are tried in random order. */
  readonly servers?: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** Seed of a user's nkey, `SU…`. */
  readonly nkey?: string;
  /** Content of a credentials file (JWT and seed), as `nsc` makes it; read the file yourself. */
  readonly credentials?: string | Uint8Array;
  /** Anything else that signs in. */
  readonly authenticator?: Authenticator | Authenticator[];
  /** TLS; the server's certificate is always verified, with `cert` and `key` we show ours. `true`: with the certificates of the system. */
  readonly tls?: true | NatsTls;
  /** A connection of the client library that lives already. It is used, and never closed; its own reconnection should be off. */
  readonly connection?: NatsConnection;
  /** JetStream domain, for leaf nodes. */
  readonly domain?: string;
  /** First words of the subjects that answers come to, for permissions. Default `_INBOX`. */
  readonly inboxPrefix?: string;
  /** Other names for streams and subjects. */
  readonly names?: NatsNames;
  readonly stream?: NatsStreamOptions;
  /** How long a repeated id on one topic is recognised (`duplicate_window`), milliseconds. Default 120,000, as the server's. */
  readonly dedupMs?: number;
  /** How long a member may hold a message without a sign (`ack_wait`), milliseconds; handlers that run longer send signs. Default 30,000. */
  readonly ackWaitMs?: number;
  /** Longest wait for the server to confirm a publish, milliseconds; then its outcome is unknown and core sends it again. Default 5,000. */
  readonly confirmTimeoutMs?: number;
  /** Longest wait for an answer of the JetStream API, milliseconds. Default 5,000. */
  readonly requestTimeoutMs?: number;
  /** Longest wait for one server to accept a connection, milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** How often we ask the server whether it lives, milliseconds; it is dead after three questions without an answer. Default 5,000. */
  readonly pingIntervalMs?: number;
}

/** The part of the client's TLS options that is passed on. Verification cannot be switched off. */
export type NatsTls = Pick<TlsOptions, "ca" | "caFile" | "cert" | "certFile" | "key" | "keyFile" | "handshakeFirst">;

export interface Settings {
  readonly servers: readonly string[];
  /** For messages: hosts and ports only. */
  readonly where: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
  readonly authenticators: Authenticator[];
  readonly tls: NatsTls | undefined;
  readonly connection: NatsConnection | undefined;
  readonly domain: string | undefined;
  readonly inboxPrefix: string;
  readonly names: NatsNames;
  readonly stream: Required<Pick<NatsStreamOptions, "retention" | "storage" | "replicas">> & Pick<NatsStreamOptions, "maxAgeMs" | "maxBytes" | "maxMessages">;
  readonly dedupMs: number;
  readonly ackWaitMs: number;
  readonly confirmTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly pingIntervalMs: number;
}

const dayMs = 86_400_000;
const optionNames: readonly (keyof NatsOptions)[] = [
  "url",
  "servers",
  "user",
  "password",
  "token",
  "nkey",
  "credentials",
  "authenticator",
  "tls",
  "connection",
  "domain",
  "inboxPrefix",
  "names",
  "stream",
  "dedupMs",
  "ackWaitMs",
  "confirmTimeoutMs",
  "requestTimeoutMs",
  "connectTimeoutMs",
  "pingIntervalMs",
];
const streamNames: readonly (keyof NatsStreamOptions)[] = ["retention", "storage", "replicas", "maxAgeMs", "maxBytes", "maxMessages"];
const nameNames: readonly (keyof NatsNames)[] = ["stream", "inbox", "dead", "subjectPrefix"];
const tlsNames: readonly (keyof NatsTls)[] = ["ca", "caFile", "cert", "certFile", "key", "keyFile", "handshakeFirst"];

/** @throws INVALID_OPTIONS */
export function settingsOf(given: string | NatsOptions): Settings {
  const options = typeof given === "string" ? { url: given } : given;
  assertNames("nats()", options, optionNames);
  const { connection, inboxPrefix = "_INBOX" } = options;
  if (connection !== undefined && (options.url !== undefined || options.servers !== undefined))
    throw invalid("connection", "cannot be combined with url or servers: it is connected already");
  if (!/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(inboxPrefix)) throw invalid("inboxPrefix", "must be words of A-Z a-z 0-9 _ - joined by dots");
  const place = placeOf(options);
  return {
    ...place,
    token: options.token ?? place.token,
    authenticators: authenticatorsOf(options),
    tls: tlsOf(options.tls, place.servers),
    connection,
    domain: checkedText("domain", options.domain, /^[A-Za-z0-9_-]+$/),
    inboxPrefix,
    names: namesOf(options.names),
    stream: streamOf(options.stream ?? {}),
    dedupMs: whole("dedupMs", options.dedupMs ?? 120_000, 100, 365 * dayMs),
    ackWaitMs: whole("ackWaitMs", options.ackWaitMs ?? 30_000, 500, dayMs),
    confirmTimeoutMs: whole("confirmTimeoutMs", options.confirmTimeoutMs ?? 5_000, 50, dayMs),
    requestTimeoutMs: whole("requestTimeoutMs", options.requestTimeoutMs ?? 5_000, 50, dayMs),
    connectTimeoutMs: whole("connectTimeoutMs", options.connectTimeoutMs ?? 5_000, 50, dayMs),
    pingIntervalMs: whole("pingIntervalMs", options.pingIntervalMs ?? 5_000, 50, dayMs),
  };
}

type Place = Pick<Settings, "servers" | "where" | "user" | "password" | "token">;

/** Credentials are taken out of the URLs: nothing that names a server may show them. */
function placeOf(options: NatsOptions): Place {
  const texts = options.servers ?? (options.url ?? "nats://127.0.0.1:4222").split(",");
  if (options.servers !== undefined && options.url !== undefined) throw invalid("servers", "cannot be combined with url: give one of them");
  if (!Array.isArray(texts) || texts.length === 0) throw invalid("servers", "must be a list of addresses");
  let { user, password, token } = options;
  const servers = texts.map((text) => {
    const url = urlOf(text);
    if (url.username !== "" && url.password === "" && user === undefined) token ??= decodeURIComponent(url.username);
    else if (url.username !== "" && options.user === undefined) {
      user = decodeURIComponent(url.username);
      password = decodeURIComponent(url.password);
    }
    return `${url.protocol}//${url.hostname}:${url.port === "" ? "4222" : url.port}`;
  });
  for (const [name, value] of Object.entries({ user, password, token }))
    if (value !== undefined && typeof value !== "string") throw invalid(name, "must be a text");
  return { servers, where: servers.map((server) => server.replace(/^\w+:\/\//, "")).join(", "), user, password, token };
}

function urlOf(text: unknown): URL {
  const address = typeof text === "string" ? text.trim() : "";
  try {
    const url = new URL(/^\w+:\/\//.test(address) ? address : `nats://${address}`);
    if ((url.protocol === "nats:" || url.protocol === "tls:") && url.hostname !== "" && !/[\r\n\s]/.test(address)) return url;
  } catch {
    // Told below, without the text: there may be a password in it.
  }
  throw invalid("url", "is not an address of a NATS server: use nats://host:4222 or tls://host:4222");
}

function authenticatorsOf({ nkey, credentials, authenticator }: NatsOptions): Authenticator[] {
  const list: Authenticator[] = authenticator === undefined ? [] : Array.isArray(authenticator) ? [...authenticator] : [authenticator];
  if (list.some((one) => typeof one !== "function")) throw invalid("authenticator", "must be a function, or a list of them");
  const encoder = new TextEncoder();
  if (nkey !== undefined) {
    if (typeof nkey !== "string" || !/^SU[A-Z2-7]{56}$/.test(nkey)) throw invalid("nkey", "must be the seed of a user (58 characters that begin with SU)");
    list.push(nkeyAuthenticator(encoder.encode(nkey)));
  }
  if (credentials !== undefined) {
    const bytes = typeof credentials === "string" ? encoder.encode(credentials) : credentials;
    if (!(bytes instanceof Uint8Array) || !new TextDecoder().decode(bytes).includes("NATS USER JWT"))
      throw invalid("credentials", "must be the content of a credentials file, not its path");
    list.push(credsAuthenticator(bytes));
  }
  return list;
}

function tlsOf(tls: NatsOptions["tls"], servers: readonly string[]): NatsTls | undefined {
  if (tls === undefined) return servers.some((server) => server.startsWith("tls:")) ? {} : undefined;
  if (tls === true) return {};
  assertNames("tls", tls, tlsNames);
  return tls;
}

function namesOf(names: NatsNames | undefined): NatsNames {
  if (names === undefined) return {};
  assertNames("names", names, nameNames);
  for (const name of ["stream", "inbox", "dead"] as const)
    if (names[name] !== undefined && typeof names[name] !== "function") throw invalid(`names.${name}`, "must be a function of the namespace");
  return names;
}

function streamOf(options: NatsStreamOptions): Settings["stream"] {
  assertNames("stream", options, streamNames);
  const { retention = "handled", storage = "file" } = options;
  if (retention !== "handled" && retention !== "limits") throw invalid("stream.retention", 'must be "handled" or "limits"');
  if (storage !== "file" && storage !== "memory") throw invalid("stream.storage", 'must be "file" or "memory"');
  if (retention === "handled" && options.maxAgeMs !== undefined)
    throw invalid("stream.maxAgeMs", 'would drop what a group has not handled: use it with retention "limits"');
  const maxAgeMs = retention === "limits" ? whole("stream.maxAgeMs", options.maxAgeMs ?? 7 * dayMs, 1_000, 3_650 * dayMs) : undefined;
  return {
    retention,
    storage,
    replicas: whole("stream.replicas", options.replicas ?? 1, 1, 5),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(options.maxBytes === undefined ? {} : { maxBytes: whole("stream.maxBytes", options.maxBytes, 1, Number.MAX_SAFE_INTEGER) }),
    ...(options.maxMessages === undefined ? {} : { maxMessages: whole("stream.maxMessages", options.maxMessages, 1, Number.MAX_SAFE_INTEGER) }),
  };
}

function assertNames(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) throw invalid(where, "takes an object of options");
  for (const name of Object.keys(options)) if (!known.includes(name)) throw invalid(name, `is not an option of ${where}: use ${known.join(", ")}`);
}

function checkedText(name: string, value: unknown, form: RegExp): string | undefined {
  if (value === undefined || (typeof value === "string" && form.test(value))) return value;
  throw invalid(name, `must match ${form.source}`);
}

function whole(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw invalid(name, `must be a whole number from ${min} to ${max}`);
}

const invalid = (name: string, text: string): HalyardError => new HalyardError("INVALID_OPTIONS", `${name} ${text}.`, { details: { option: name } });
