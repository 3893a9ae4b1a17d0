/** Options of `amqp()`, checked at the call: a bad one must not wait for the first connection. */
import type { ChannelModel } from "amqplib";
import { type AmqpNames, namesDefault } from "./names.ts";
import { agreed, assertNames, invalid, whole } from "./option-checks.ts";
import { type Place, placeOf, urlsOf } from "./place.ts";
import { type OwnArguments, ownArguments } from "./queue-arguments.ts";
import { type UrlParameters, unescaped } from "./url.ts";

/** What users of RabbitMQ expect to say; everything has a default. */
export interface AmqpOptions {
  /**
   * `amqp://user:password@host:port/vhost`, or `amqps:` for TLS. Of the query `heartbeat` (seconds), `connection_timeout` (milliseconds), `frame_max`,
   * `channel_max` and `auth_mechanism` are read. What it leaves out may be said by the options below; what contradicts them is `INVALID_OPTIONS`.
   */
  readonly url?: string;
  /** Instead of `url`: the nodes of a cluster. At each connecting they are tried in turn, beginning with any. User, password and vhost hold for all. */
  readonly urls?: readonly string[];
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 5672, with TLS 5671. */
  readonly port?: number;
  /** Default `/`. */
  readonly vhost?: string;
  /** Default `guest`. */
  readonly user?: string;
  /** Default `guest`. */
  readonly password?: string;
  /** TLS with Node's options; `true` trusts the usual authorities. The broker's certificate is always verified. With `cert` and `key` we show ours. */
  readonly tls?: boolean | AmqpTls;
  /** How we sign in. `plain` (default): user and password. `external`: the broker takes the user from our certificate, so `tls` has `cert` and `key`. */
  readonly authMechanism?: "plain" | "external";
  /** Longest wait for one node to accept a connection, handshake included, milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** After so long in silence a heartbeat is sent; after two of them without an answer the connection is dead. Rounded up to seconds, and never off. Default 10,000. */
  readonly heartbeatMs?: number;
  /** Largest frame, bytes; from 8,192, which is the least that RabbitMQ takes since 4.1. Default 131,072, or less where the broker says so. */
  readonly frameMax?: number;
  /** Most channels on one connection; each subscription takes one, from 16. Default: as many as the broker allows (2,047). */
  readonly channelMax?: number;
  /** Longest wait for an answer of the broker, also for a confirm, milliseconds. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /**
   * Largest body of a message, bytes. Default 15,728,640 (15 MiB), which is below the server's `max_message_size` on every version (16 MiB since 4.0, 128 MiB
   * before). Raise it together with that: the server closes the channel where a message is larger.
   */
  readonly bodyBytesMax?: number;
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
  /**
   * Connections of amqplib that you opened, instead of `url` and the like; they are never closed. A function is asked for one for each session. With a
   * single one an alarm of the broker, which blocks connections that publish, holds back acks as well: give two. With `managementUrl`, say `vhost` (which a
   * connection does not tell), and `user` and `password` where `managementUrl` has none.
   */
  readonly connection?: AmqpConnection | { readonly publish: AmqpConnection; readonly consume: AmqpConnection };
}

/** A connection of amqplib, or a function that opens one for each session. */
export type AmqpConnection = ChannelModel | (() => Promise<ChannelModel>);

export interface AmqpQueueOptions {
  /** `quorum` (default): replicated, counts deliveries. `classic`: priorities 0–9 on every version, but not replicated and without protection against messages that kill their process. */
  readonly type?: "quorum" | "classic";
  /**
   * Further arguments of groups' queues. Those that say how a queue is replicated (`x-quorum-initial-group-size`, `x-quorum-target-group-size`,
   * `x-queue-leader-locator`) hold for retries, dead letters and history too. What would drop messages (`x-max-length`, `x-message-ttl`, …) is refused.
   */
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
  readonly own: OwnArguments;
}

type Handed = AmqpConnection;
/** What was handed in. */
export type Connections = { readonly both: Handed } | { readonly publish: Handed; readonly consume: Handed };

export interface Settings {
  readonly place: Place;
  readonly connections: Connections | undefined;
  readonly connectTimeoutMs: number;
  readonly heartbeatSeconds: number;
  readonly frameMax: number | undefined;
  readonly channelMax: number | undefined;
  readonly requestTimeoutMs: number;
  readonly bodyBytesMax: number;
  readonly names: AmqpNames;
  readonly prefetch: number;
  readonly queue: QueueSettings;
  readonly managementUrl: string | undefined;
  readonly consumerTimeoutMs: number | undefined;
  readonly history: { readonly maxAgeMs: number | undefined; readonly bytesMax: number | undefined } | undefined;
}

const known: readonly (keyof AmqpOptions)[] = [
  "url",
  "urls",
  "host",
  "port",
  "vhost",
  "user",
  "password",
  "tls",
  "authMechanism",
  "connectTimeoutMs",
  "heartbeatMs",
  "frameMax",
  "channelMax",
  "requestTimeoutMs",
  "bodyBytesMax",
  "exchange",
  "names",
  "prefetch",
  "queue",
  "managementUrl",
  "consumerTimeoutMs",
  "history",
  "connection",
];
/** Of no use for a connection that is open. */
const connecting = ["url", "urls", "host", "port", "tls", "authMechanism", "connectTimeoutMs", "heartbeatMs", "frameMax", "channelMax"] as const;

const daysMax = 2 ** 31 - 1;
/** 16 bits on the wire. */
const prefetchMax = 65_535;
/** RabbitMQ 4.1 closes connections that offer less. */
const frameMaxMin = 8_192;
/** A session needs a handful for itself. */
const channelsMin = 16;
const bodyBytesMaxDefault = 15 * 1024 * 1024;
/** The server's `max_message_size` cannot be set higher. */
const bodyBytesMaxEver = 512 * 1024 * 1024;
/** RabbitMQ's default since 3.8.17. */
const consumerTimeoutMsDefault = 1_800_000;

/** @throws INVALID_OPTIONS */
export function settingsOf(options: AmqpOptions): Settings {
  assertNames("amqp()", options, known);
  const connections = connectionsOf(options);
  const urls = urlsOf(options);
  const said = (name: Exclude<keyof UrlParameters, "authMechanism">): number | undefined => agreed(name, options[name], urls.map(({ parameters }) => parameters[name])); // biome-ignore format: one thought
  const { consumerTimeoutMs } = options;
  return {
    place: placeOf(options, urls),
    connections,
    connectTimeoutMs: whole("connectTimeoutMs", said("connectTimeoutMs") ?? 10_000, 1, daysMax),
    heartbeatSeconds: heartbeatOf(said("heartbeatMs") ?? 10_000),
    frameMax: frameMaxOf(said("frameMax")),
    channelMax: said("channelMax") === undefined ? undefined : whole("channelMax", said("channelMax"), channelsMin, 65_535),
    requestTimeoutMs: whole("requestTimeoutMs", options.requestTimeoutMs ?? 10_000, 1, daysMax),
    bodyBytesMax: whole("bodyBytesMax", options.bodyBytesMax ?? bodyBytesMaxDefault, 1, bodyBytesMaxEver),
    names: madeNames(options),
    prefetch: whole("prefetch", options.prefetch ?? prefetchMax, 1, prefetchMax),
    queue: queueOf(options.queue ?? {}),
    managementUrl: managementOf(options.managementUrl),
    consumerTimeoutMs: consumerTimeoutMs === false ? undefined : whole("consumerTimeoutMs", consumerTimeoutMs ?? consumerTimeoutMsDefault, 1, daysMax),
    history: historyOf(options.history ?? false),
  };
}

function connectionsOf(options: AmqpOptions): Connections | undefined {
  const { connection, managementUrl } = options;
  if (connection === undefined) return undefined;
  const other = connecting.find((name) => options[name] !== undefined);
  if (other !== undefined) throw invalid(other, "cannot be combined with connection, which is open already");
  const forManagement = (["vhost", "user", "password"] as const).find((name) => options[name] !== undefined);
  if (forManagement !== undefined && managementUrl === undefined)
    throw invalid(forManagement, "is for managementUrl where a connection is handed in: the connection has it already");
  if (managementUrl !== undefined && options.vhost === undefined)
    throw invalid("vhost", "is needed for managementUrl where a connection is handed in: a connection does not tell which it is in");
  if (typeof connection !== "object" || connection === null || !("publish" in connection) || "createChannel" in connection)
    return { both: connection as Handed };
  assertNames("connection", connection, ["publish", "consume"]);
  const { publish, consume } = connection as Partial<{ readonly publish: Handed; readonly consume: Handed }>;
  if (publish === undefined || consume === undefined) throw invalid("connection", "must have both publish and consume, or be one connection");
  return { publish, consume };
}

function heartbeatOf(heartbeatMs: number): number {
  if (heartbeatMs === 0) throw invalid("heartbeatMs", "(heartbeat in the url) cannot be 0: a broker that falls silent would never be noticed");
  return Math.ceil(whole("heartbeatMs", heartbeatMs, 1, 65_535_000) / 1_000);
}

function frameMaxOf(frameMax: number | undefined): number | undefined {
  if (frameMax === undefined) return undefined;
  if (frameMax < frameMaxMin) throw invalid("frameMax", `must be at least ${frameMaxMin} bytes: RabbitMQ refuses smaller frames since 4.1`);
  return whole("frameMax", frameMax, frameMaxMin, 2 ** 31 - 1);
}

function madeNames({ exchange, names = {} }: AmqpOptions): AmqpNames {
  assertNames("names", names, Object.keys(namesDefault));
  for (const [name, make] of Object.entries(names)) if (typeof make !== "function") throw invalid(`names.${name}`, "must be a function that makes a name");
  if (exchange !== undefined && names.exchange !== undefined) throw invalid("exchange", "is made by names.exchange already: give one of them");
  if (exchange !== undefined && (typeof exchange !== "string" || exchange === "")) throw invalid("exchange", "must be the name of an exchange");
  return { ...namesDefault, ...names, ...(exchange === undefined ? {} : { exchange: () => exchange }) };
}

function queueOf(queue: AmqpQueueOptions): QueueSettings {
  assertNames("queue", queue, ["type", "arguments"]);
  const { type = "quorum", arguments: own = {} } = queue;
  if (type !== "quorum" && type !== "classic") throw invalid("queue.type", 'must be "quorum" or "classic"');
  return { type, own: ownArguments(own, type) };
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

function managementOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  // The text is not shown: it may hold a password.
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw invalid("managementUrl", "must be a URL that begins with http: or https:");
  for (const part of [new URL(url).username, new URL(url).password]) unescaped(part, "managementUrl");
  return url;
}
