/** The options of `nats()`: what they mean, their defaults, and what is refused. Everything is checked at the call, so a misspelt name is never ignored. */
import {
  agreed,
  functionOf,
  invalidOption,
  listOf,
  type OptionRule,
  type OptionRules,
  objectOf,
  oneOf,
  readOptions,
  readUrl,
  text,
  type UrlParts,
  whole,
} from "@halyard/core/spi";
import { type Authenticator, credsAuthenticator, type NatsConnection, nkeyAuthenticator, type TlsOptions } from "@nats-io/transport-node";
import { type NatsNames, nameForm } from "./names.ts";

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
  /** With `password`; or both in the URL. */
  readonly user?: string;
  readonly password?: string;
  /** Instead of user and password. */
  readonly token?: string;
  /** Seed of a user's nkey, `SU…`. */
  readonly nkey?: string;
  /** Content of a credentials file (JWT and seed), as `nsc` makes it; read the file yourself. */
  readonly credentials?: string | Uint8Array;
  /** Anything else that signs in. */
  readonly authenticator?: Authenticator | Authenticator[];
  /** TLS; the server's certificate is always verified, with `cert` and `key` we show ours. `true`: with the certificates of the system. */
  readonly tls?: boolean | NatsTls;
  /** A connection of the client library that lives already, instead of all that says where and how to connect. It is used, and never closed; its own reconnection should be off. */
  readonly connection?: NatsConnection;
  /** JetStream domain, for leaf nodes. */
  readonly domain?: string;
  /** First words of the subjects that answers come to, for permissions. Default `_INBOX`. */
  readonly inboxPrefix?: string;
  /** Other names for streams and subjects. */
  readonly names?: NatsNames;
  /** Retention, replicas and limits of the streams that are made. */
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
/** Timers take no more. */
const msMax = 2 ** 31 - 1;
const timeMs = whole(50, msMax);

const connectionRule: OptionRule<NatsConnection> = (name, value) => {
  const needed: readonly (keyof NatsConnection)[] = ["publish", "subscribe", "request", "flush", "closed", "isClosed", "isDraining", "status"];
  const given: unknown = value;
  if (typeof given === "object" && given !== null && needed.every((method) => typeof Reflect.get(given, method) === "function")) return given as NatsConnection; // no other class has them all
  throw invalidOption(name, "must be a connection of @nats-io/transport-node");
};

const credentialsRule: OptionRule<string | Uint8Array> = (name, value) => {
  const content = value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
  if (typeof content === "string" && content.includes("NATS USER JWT")) return new TextEncoder().encode(content);
  throw invalidOption(name, "must be the content of a credentials file, not its path");
};

const oneAuthenticator = functionOf<Authenticator>("an authenticator of the client library, or a list of them");

const asGiven = <Value>(_: string, value: unknown): Value => value as Value; // the client and Node say what is wrong with it
const tlsRules: OptionRules<NatsTls> = {
  ca: asGiven,
  caFile: asGiven,
  cert: asGiven,
  certFile: asGiven,
  key: asGiven,
  keyFile: asGiven,
  handshakeFirst: asGiven,
};
const tlsRule: OptionRule<boolean | NatsTls> = (name, value) => {
  if (typeof value === "boolean") return value;
  if (typeof value === "object" && value !== null && ("rejectUnauthorized" in value || "checkServerIdentity" in value))
    throw invalidOption(name, `verification cannot be switched off: give ${name}.ca the certificate of the authority that signed the server's`);
  return objectOf(tlsRules)(name, value);
};

const nameFunction = functionOf<(namespace: string) => string>("a function of the namespace");
const nameRules: OptionRules<NatsNames> = {
  stream: nameFunction,
  inbox: nameFunction,
  dead: nameFunction,
  subjectPrefix: text(nameForm, "must be 1 to 64 of A-Z a-z 0-9 _ -"),
};

const streamRules: OptionRules<NatsStreamOptions> = {
  retention: oneOf("handled", "limits"),
  storage: oneOf("file", "memory"),
  replicas: whole(1, 5),
  maxAgeMs: whole(1_000, 3_650 * dayMs),
  maxBytes: whole(1),
  maxMessages: whole(1),
};

const rules: OptionRules<NatsOptions> = {
  url: text(),
  servers: listOf(text()),
  user: text(),
  password: text(),
  token: text(),
  nkey: text(/^SU[A-Z2-7]{56}$/, "must be the seed of a user (58 characters that begin with SU)"),
  credentials: credentialsRule,
  authenticator: (name, value) => (Array.isArray(value) ? [...listOf(oneAuthenticator)(name, value)] : oneAuthenticator(name, value)),
  tls: tlsRule,
  connection: connectionRule,
  domain: text(/^[A-Za-z0-9_-]+$/, "must be A-Z a-z 0-9 _ -"),
  inboxPrefix: text(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, "must be words of A-Z a-z 0-9 _ - joined by dots"),
  names: objectOf(nameRules),
  stream: objectOf(streamRules),
  dedupMs: whole(100, 365 * dayMs),
  ackWaitMs: whole(500, dayMs),
  confirmTimeoutMs: timeMs,
  requestTimeoutMs: timeMs,
  connectTimeoutMs: timeMs,
  pingIntervalMs: timeMs,
};

/** What a connection that lives already has decided. */
const ofConnecting = [
  "url",
  "servers",
  "user",
  "password",
  "token",
  "nkey",
  "credentials",
  "authenticator",
  "tls",
  "connectTimeoutMs",
  "pingIntervalMs",
] as const satisfies readonly (keyof NatsOptions)[];

/** @throws INVALID_OPTIONS */
export function settingsOf(given: string | NatsOptions): Settings {
  const options = readOptions("nats()", typeof given === "string" ? { url: given } : given, rules);
  const { connection, inboxPrefix = "_INBOX" } = options;
  const ignored = connection === undefined ? undefined : ofConnecting.find((name) => options[name] !== undefined);
  if (ignored !== undefined) throw invalidOption(ignored, "cannot be combined with connection, which is connected already");
  const place = placeOf(options);
  return {
    ...place,
    authenticators: authenticatorsOf(options),
    tls: tlsOf(options.tls, place.servers),
    connection,
    domain: options.domain,
    inboxPrefix,
    names: options.names ?? {},
    stream: streamOf(options.stream ?? {}),
    dedupMs: options.dedupMs ?? 120_000,
    ackWaitMs: options.ackWaitMs ?? 30_000,
    confirmTimeoutMs: options.confirmTimeoutMs ?? 5_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 5_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    pingIntervalMs: options.pingIntervalMs ?? 5_000,
  };
}

type Place = Pick<Settings, "servers" | "where" | "user" | "password" | "token">;

/** Credentials are taken out of the URLs: nothing that names a server may show them. */
function placeOf(options: NatsOptions): Place {
  if (options.servers !== undefined && options.url !== undefined) throw invalidOption("servers", "cannot be combined with url: give one of them");
  const texts = options.servers ?? (options.url ?? "nats://127.0.0.1:4222").split(",");
  let { user, password, token } = options;
  const servers = texts.map((one) => {
    const { protocol, host, port = 4222, username, password: secret, path } = serverOf(options.servers === undefined ? "url" : "servers", one.trim());
    if (path !== undefined) throw invalidOption("url", "has a path that nobody reads: write / as %2F");
    if (username !== undefined && secret === undefined && user === undefined) token = agreed("token", username, token);
    else {
      user = agreed("user", username, user);
      password = agreed("password", secret, password);
    }
    return `${protocol}://${host?.includes(":") === true ? `[${host}]` : (host ?? "127.0.0.1")}:${port}`;
  });
  if (password !== undefined && user === undefined) throw invalidOption("password", "needs a user");
  const ways = Object.entries({ user, token, nkey: options.nkey, credentials: options.credentials }).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  if (ways.length > 1) throw invalidOption(ways.join(" and "), "exclude each other: sign in one way");
  return { servers, where: servers.map((server) => server.replace(/^\w+:\/\//, "")).join(", "), user, password, token };
}

/** Users of NATS may leave the protocol out. */
function serverOf(name: string, address: string): UrlParts {
  const parts = readUrl(name, /^\w+:\/\//.test(address) ? address : `nats://${address}`, {
    protocols: ["nats", "tls"],
    example: "nats://host:4222 or tls://host:4222",
  });
  if (parts.host === undefined) throw invalidOption(name, "must look like nats://host:4222 or tls://host:4222");
  return parts;
}

function authenticatorsOf({ nkey, credentials, authenticator }: NatsOptions): Authenticator[] {
  const list: Authenticator[] = authenticator === undefined ? [] : Array.isArray(authenticator) ? [...authenticator] : [authenticator];
  const bytesOf = (content: string | Uint8Array): Uint8Array => (typeof content === "string" ? new TextEncoder().encode(content) : content);
  if (nkey !== undefined) list.push(nkeyAuthenticator(bytesOf(nkey)));
  if (credentials !== undefined) list.push(credsAuthenticator(bytesOf(credentials)));
  return list;
}

function tlsOf(tls: NatsOptions["tls"], servers: readonly string[]): NatsTls | undefined {
  const isSaid = servers.some((server) => server.startsWith("tls:"));
  if (tls === false && isSaid) throw invalidOption("tls", "is said otherwise by the url, which begins with tls:");
  if (tls === undefined || typeof tls === "boolean") return isSaid || tls === true ? {} : undefined;
  return tls;
}

function streamOf(options: NatsStreamOptions): Settings["stream"] {
  const { retention = "handled", storage = "file", replicas = 1, maxAgeMs, ...limits } = options;
  if (retention === "handled" && maxAgeMs !== undefined)
    throw invalidOption("stream.maxAgeMs", 'would drop what a group has not handled: use it with retention "limits"');
  return { retention, storage, replicas, ...limits, ...(retention === "limits" ? { maxAgeMs: maxAgeMs ?? 7 * dayMs } : {}) };
}
