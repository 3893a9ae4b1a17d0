/** Options of `amqp()`, checked at the call: a bad one must not wait for the first connection. */
import { HalyardError } from "@halyard/core/spi";
import type { ChannelModel } from "amqplib";
import { type AmqpNames, namesDefault } from "./names.ts";
import { readUrl } from "./url.ts";

/** What users of RabbitMQ expect to say; everything has a default. */
export interface AmqpOptions {
  /** `amqp://user:password@host:port/vhost`, or `amqps:` for TLS. Query parameters `heartbeat` (seconds) and `connection_timeout` (milliseconds) are read. */
  readonly url?: string;
  /** Instead of `url`. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 5672, with TLS 5671. */
  readonly port?: number;
  /** Default `/`. */
  readonly vhost?: string;
  /** Default `guest`. */
  readonly user?: string;
  /** Default `guest`. */
  readonly password?: string;
  /** TLS with Node's options; `{}` trusts the usual authorities. The broker's certificate is always verified. With `cert` and `key` we show ours. */
  readonly tls?: AmqpTls;
  /** Longest wait for a connection, handshake included, milliseconds. Default 10,000. */
  readonly connectionTimeoutMs?: number;
  /** After so long in silence a heartbeat is sent; after two of them without an answer the connection is dead. Rounded up to seconds. Default 10,000. */
  readonly heartbeatMs?: number;
  /** Longest wait for an answer of the broker, also for a confirm, milliseconds. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** The topic exchange that messages are published to. Default: the bus's namespace. */
  readonly exchange?: string;
  /** Names of everything else, where they must follow rules. */
  readonly names?: Partial<AmqpNames>;
  /** Most unsettled messages that one subscription fetches, whatever its `inFlightMax` is; 1 to 65,535. Default 65,535. */
  readonly prefetch?: number;
  readonly queue?: AmqpQueueOptions;
  /** Base URL of the management plugin, for example `http://rabbit:15672`; the credentials of the connection are used unless it has its own. Without it groups are not listed, and members and what is in flight are not known. */
  readonly managementUrl?: string;
  /** The server's `consumer_timeout`, milliseconds; `false` where it is switched off. It limits how long a handler may run. Default 1,800,000. */
  readonly consumerTimeoutMs?: number | false;
  /** Keeps what is published in a stream queue, for `bus.history`. Default false. */
  readonly history?: boolean | AmqpHistoryOptions;
  /** A connection of amqplib that you opened; it is used for everything and never closed. Instead of `url` and the like. A function is asked for one for each session. */
  readonly connection?: ChannelModel | (() => Promise<ChannelModel>);
}

export interface AmqpQueueOptions {
  /** `quorum` (default): replicated, counts deliveries. `classic`: priorities 0–9 on every version, but not replicated and without protection against messages that kill their process. */
  readonly type?: "quorum" | "classic";
  /** Further arguments of groups' queues, e.g. `{ "x-quorum-initial-group-size": 5 }`. */
  readonly arguments?: Readonly<Record<string, string | number | boolean>>;
}

export interface AmqpHistoryOptions {
  /** Messages older than this may go, milliseconds. Default: kept. */
  readonly maxAgeMs?: number;
  /** Beyond this the oldest go. Default: kept. */
  readonly bytesMax?: number;
}

/** The part of Node's TLS options that a client needs. Verification cannot be switched off. */
export interface AmqpTls {
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly pfx?: string | Buffer;
  readonly passphrase?: string;
  readonly servername?: string;
}

export interface QueueSettings {
  readonly type: "quorum" | "classic";
  readonly arguments: Readonly<Record<string, string | number | boolean>>;
}

/** Where the broker is and who we are. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly vhost: string;
  readonly user: string;
  readonly password: string;
  readonly tls: AmqpTls | undefined;
}

export interface Settings {
  readonly place: Place;
  readonly connection: AmqpOptions["connection"];
  readonly connectionTimeoutMs: number;
  readonly heartbeatSeconds: number;
  readonly requestTimeoutMs: number;
  readonly names: AmqpNames;
  readonly prefetch: number;
  readonly queue: QueueSettings;
  readonly managementUrl: string | undefined;
  readonly consumerTimeoutMs: number | undefined;
  readonly history: { readonly maxAgeMs: number | undefined; readonly bytesMax: number | undefined } | undefined;
}

const known: readonly (keyof AmqpOptions)[] = [
  "url",
  "host",
  "port",
  "vhost",
  "user",
  "password",
  "tls",
  "connectionTimeoutMs",
  "heartbeatMs",
  "requestTimeoutMs",
  "exchange",
  "names",
  "prefetch",
  "queue",
  "managementUrl",
  "consumerTimeoutMs",
  "history",
  "connection",
];
const knownTls: readonly (keyof AmqpTls)[] = ["ca", "cert", "key", "pfx", "passphrase", "servername"];
const placeNames = ["url", "host", "port", "vhost", "user", "password", "tls"] as const;

const daysMax = 2 ** 31 - 1;
/** 16 bits on the wire. */
const prefetchMax = 65_535;
/** RabbitMQ's default since 3.8.17. */
const consumerTimeoutMsDefault = 1_800_000;

/** @throws INVALID_OPTIONS */
export function settingsOf(options: AmqpOptions): Settings {
  assertNames("amqp()", options, known);
  const { exchange, names = {}, connection } = options;
  if (connection !== undefined) {
    const other = placeNames.find((name) => options[name] !== undefined);
    if (other !== undefined) throw invalid(other, "cannot be combined with connection, which is open already");
  }
  const fromUrl = options.url === undefined ? undefined : readUrl(options.url);
  if (fromUrl !== undefined) {
    const other = (["host", "port", "vhost", "user", "password"] as const).find((name) => options[name] !== undefined);
    if (other !== undefined) throw invalid(other, "is said by url already: give one of them");
  }
  assertNames("names", names, Object.keys(namesDefault));
  for (const [name, make] of Object.entries(names)) if (typeof make !== "function") throw invalid(`names.${name}`, "must be a function that makes a name");
  if (exchange !== undefined && names.exchange !== undefined) throw invalid("exchange", "is made by names.exchange already: give one of them");
  if (exchange !== undefined && (typeof exchange !== "string" || exchange === "")) throw invalid("exchange", "must be the name of an exchange");
  const tls = tlsOf(options.tls) ?? (fromUrl?.isTls === true ? {} : undefined);
  const heartbeatMs = whole("heartbeatMs", options.heartbeatMs ?? fromUrl?.heartbeatMs ?? 10_000, 1, 65_535_000);
  return {
    place: {
      host: text("host", options.host ?? fromUrl?.host ?? "127.0.0.1"),
      port: whole("port", options.port ?? fromUrl?.port ?? (tls === undefined ? 5_672 : 5_671), 1, 65_535),
      vhost: text("vhost", options.vhost ?? fromUrl?.vhost ?? "/"),
      user: text("user", options.user ?? fromUrl?.user ?? "guest"),
      password: text("password", options.password ?? fromUrl?.password ?? "guest", true),
      tls,
    },
    connection,
    connectionTimeoutMs: whole("connectionTimeoutMs", options.connectionTimeoutMs ?? fromUrl?.connectionTimeoutMs ?? 10_000, 1, daysMax),
    heartbeatSeconds: Math.ceil(heartbeatMs / 1_000),
    requestTimeoutMs: whole("requestTimeoutMs", options.requestTimeoutMs ?? 10_000, 1, daysMax),
    names: { ...namesDefault, ...names, ...(exchange === undefined ? {} : { exchange: () => exchange }) },
    prefetch: whole("prefetch", options.prefetch ?? prefetchMax, 1, prefetchMax),
    queue: queueOf(options.queue ?? {}),
    managementUrl: managementOf(options.managementUrl),
    consumerTimeoutMs:
      options.consumerTimeoutMs === false ? undefined : whole("consumerTimeoutMs", options.consumerTimeoutMs ?? consumerTimeoutMsDefault, 1, daysMax),
    history: historyOf(options.history ?? false),
  };
}

function queueOf(queue: AmqpQueueOptions): QueueSettings {
  assertNames("queue", queue, ["type", "arguments"]);
  const { type = "quorum", arguments: own = {} } = queue;
  if (type !== "quorum" && type !== "classic") throw invalid("queue.type", 'must be "quorum" or "classic"');
  if (typeof own !== "object" || own === null) throw invalid("queue.arguments", "must be an object");
  for (const [name, value] of Object.entries(own)) {
    if (name === "x-queue-type") throw invalid("queue.arguments", "cannot hold x-queue-type: say queue.type");
    if (Buffer.byteLength(name) > 255 || !(["string", "boolean"].includes(typeof value) || Number.isSafeInteger(value)))
      throw invalid(`queue.arguments.${name}`, "must be text, true, false or a whole number");
  }
  return { type, arguments: { ...own } };
}

function historyOf(history: boolean | AmqpHistoryOptions): Settings["history"] {
  if (history === false) return undefined;
  if (history === true) return { maxAgeMs: undefined, bytesMax: undefined };
  assertNames("history", history, ["maxAgeMs", "bytesMax"]);
  const { maxAgeMs, bytesMax } = history;
  return {
    maxAgeMs: maxAgeMs === undefined ? undefined : whole("history.maxAgeMs", maxAgeMs, 1_000, Number.MAX_SAFE_INTEGER),
    bytesMax: bytesMax === undefined ? undefined : whole("history.bytesMax", bytesMax, 1, Number.MAX_SAFE_INTEGER),
  };
}

function tlsOf(tls: AmqpTls | undefined): AmqpTls | undefined {
  if (tls === undefined) return undefined;
  if (typeof tls === "object" && tls !== null && ("rejectUnauthorized" in tls || "checkServerIdentity" in tls))
    throw invalid("tls", "verification cannot be switched off: give tls.ca the certificate of the authority that signed the broker's");
  assertNames("tls", tls, knownTls);
  return tls;
}

function managementOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  // The text is not shown: it may hold a password.
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw invalid("managementUrl", "must be a URL that begins with http: or https:");
  return url;
}

/** A misspelt option would silently leave another at its default. */
function assertNames(where: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== "object" || options === null) throw invalid(where, "takes an object of options");
  for (const name of Object.keys(options)) if (!names.includes(name)) throw invalid(name, `is not an option of ${where}: use ${names.join(", ")}`);
}

function whole(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw invalid(name, `must be a whole number from ${min} to ${max}`);
}

function text(name: string, value: unknown, mayBeEmpty = false): string {
  if (typeof value === "string" && (mayBeEmpty || value !== "")) return value;
  throw invalid(name, "must be a text");
}

const invalid = (name: string, what: string): HalyardError => new HalyardError("INVALID_OPTIONS", `${name} ${what}.`, { details: { option: name } });
