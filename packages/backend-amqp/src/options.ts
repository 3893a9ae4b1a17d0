/** Options of `amqp()`, checked at the call: a bad one must not wait for the first connection. */
import {
  type ClientTls,
  clientTls,
  invalidOption,
  listOf,
  type OptionRule,
  type OptionRules,
  objectOf,
  oneOf,
  readOptions,
  readUrl,
  text,
  whole,
} from "@halyard/core/spi";
import type { ChannelModel } from "amqplib";
import { type AmqpNames, nameRules, namesDefault } from "./names.ts";
import { type Place, placeOf, type Said, saidByAll } from "./place.ts";
import { argumentsRule, type OwnArguments, ownArguments } from "./queue-arguments.ts";
import { optionsOfUrl } from "./url.ts";

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
  readonly tls?: boolean | ClientTls;
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
  /** Kind and further arguments of the groups' queues. */
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
  readonly connection?: AmqpConnection | ConnectionPair;
}

/** A connection of amqplib, or a function that opens one for each session. */
export type AmqpConnection = ChannelModel | (() => Promise<ChannelModel>);

interface ConnectionPair {
  readonly publish: AmqpConnection;
  readonly consume: AmqpConnection;
}

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

export interface QueueSettings {
  readonly type: "quorum" | "classic";
  readonly own: OwnArguments;
}

/** What was handed in. */
export type Connections = { readonly both: AmqpConnection } | ConnectionPair;

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

/** Timers take no more. */
const msMax = 2 ** 31 - 1;
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
/** A cluster has a handful of nodes; more is a mistake. */
const urlsMax = 64;

const port = whole(1, 65_535);
const timeMs = whole(1, msMax);

const heartbeatRule: OptionRule<number> = (name, value) => {
  if (value === 0) throw invalidOption(name, "(heartbeat in the url) cannot be 0: a broker that falls silent would never be noticed");
  return whole(1, 65_535_000)(name, value);
};

const frameMaxRule: OptionRule<number> = (name, value) => {
  if (typeof value === "number" && value < frameMaxMin)
    throw invalidOption(name, `must be at least ${frameMaxMin} bytes: RabbitMQ refuses smaller frames since 4.1`);
  return whole(frameMaxMin, 2 ** 31 - 1)(name, value);
};

const managementUrlRule: OptionRule<string> = (name, value) => {
  readUrl(name, value, { protocols: ["http", "https"], example: "http://host:15672 or https://host:15672" });
  return value as string; // readUrl refuses all else
};

const oneConnection: OptionRule<AmqpConnection> = (name, value) => {
  if (typeof value === "function" || (typeof value === "object" && value !== null && "createConfirmChannel" in value)) return value as AmqpConnection; // no channel has it
  throw invalidOption(name, "must be a connection of amqplib, or a function that opens one");
};
const twoConnections = objectOf<Partial<ConnectionPair>>({ publish: oneConnection, consume: oneConnection });
const connectionRule: OptionRule<AmqpConnection | ConnectionPair> = (name, value) => {
  if (typeof value !== "object" || value === null || !("publish" in value || "consume" in value)) return oneConnection(name, value);
  const { publish, consume } = twoConnections(name, value);
  if (publish === undefined || consume === undefined) throw invalidOption(name, "must have both publish and consume, or be one connection");
  return { publish, consume };
};

const queueRules: OptionRules<AmqpQueueOptions> = { type: oneOf("quorum", "classic"), arguments: argumentsRule };
const historyRules: OptionRules<AmqpHistoryOptions> = { maxAgeMs: whole(1_000), bytesMax: whole(1) };

const rules: OptionRules<AmqpOptions> = {
  url: text(),
  urls: listOf(text(), urlsMax),
  host: text(),
  port,
  vhost: text(),
  user: text(),
  password: text(/^/, "must be a text"), // RabbitMQ has users with an empty one
  tls: (name, value) => (typeof value === "boolean" ? value : clientTls(name, value)),
  authMechanism: oneOf("plain", "external"),
  connectTimeoutMs: timeMs,
  heartbeatMs: heartbeatRule,
  frameMax: frameMaxRule,
  channelMax: whole(channelsMin, 65_535),
  requestTimeoutMs: timeMs,
  bodyBytesMax: whole(1, bodyBytesMaxEver),
  exchange: text(),
  names: objectOf(nameRules),
  prefetch: whole(1, prefetchMax),
  queue: objectOf(queueRules),
  managementUrl: managementUrlRule,
  consumerTimeoutMs: (name, value) => (value === false ? value : timeMs(name, value)),
  history: (name, value) => (typeof value === "boolean" ? value : objectOf(historyRules)(name, value)),
  connection: connectionRule,
};

/** What a connection that is open has decided. */
const ofConnecting = [
  "url",
  "urls",
  "host",
  "port",
  "tls",
  "authMechanism",
  "connectTimeoutMs",
  "heartbeatMs",
  "frameMax",
  "channelMax",
] as const satisfies readonly (keyof AmqpOptions)[];

/** @throws INVALID_OPTIONS */
export function settingsOf(given: string | AmqpOptions): Settings {
  const options = readOptions("amqp()", typeof given === "string" ? { url: given } : given, rules);
  refuseBesideConnection(options);
  const said: Said = { options, urls: urlsOf(options) };
  const { consumerTimeoutMs = consumerTimeoutMsDefault } = options;
  return {
    place: placeOf(said),
    connections: connectionsOf(options.connection),
    connectTimeoutMs: saidByAll("connectTimeoutMs", said) ?? 10_000,
    heartbeatSeconds: Math.ceil((saidByAll("heartbeatMs", said) ?? 10_000) / 1_000),
    frameMax: saidByAll("frameMax", said),
    channelMax: saidByAll("channelMax", said),
    requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
    bodyBytesMax: options.bodyBytesMax ?? bodyBytesMaxDefault,
    names: namesOfAll(options),
    prefetch: options.prefetch ?? prefetchMax,
    queue: queueOf(options.queue ?? {}),
    managementUrl: options.managementUrl,
    consumerTimeoutMs: consumerTimeoutMs === false ? undefined : consumerTimeoutMs,
    history: historyOf(options.history ?? false),
  };
}

function refuseBesideConnection(options: AmqpOptions): void {
  const { connection, managementUrl, vhost } = options;
  if (connection === undefined) return;
  const ignored = ofConnecting.find((name) => options[name] !== undefined);
  if (ignored !== undefined) throw invalidOption(ignored, "cannot be combined with connection, which is open already");
  const forManagement = (["vhost", "user", "password"] as const).find((name) => options[name] !== undefined);
  if (forManagement !== undefined && managementUrl === undefined)
    throw invalidOption(forManagement, "is for managementUrl where a connection is handed in: the connection has it already");
  if (managementUrl !== undefined && vhost === undefined)
    throw invalidOption("vhost", "is needed for managementUrl where a connection is handed in: a connection does not tell which it is in");
}

/** What each URL says, checked by the rules of the options that it stands for. */
function urlsOf({ url, urls }: AmqpOptions): readonly AmqpOptions[] {
  const read = (name: string, one: string): AmqpOptions => readOptions("amqp()", optionsOfUrl(name, one), rules);
  if (urls === undefined) return url === undefined ? [] : [read("url", url)];
  if (url !== undefined) throw invalidOption("urls", "cannot be combined with url: give one of them");
  return urls.map((one, index) => read(`urls[${index}]`, one));
}

function connectionsOf(connection: AmqpOptions["connection"]): Connections | undefined {
  if (connection === undefined) return undefined;
  return "publish" in connection ? connection : { both: connection };
}

function namesOfAll({ exchange, names = {} }: AmqpOptions): AmqpNames {
  if (exchange !== undefined && names.exchange !== undefined) throw invalidOption("exchange", "is made by names.exchange already: give one of them");
  return { ...namesDefault, ...names, ...(exchange === undefined ? {} : { exchange: () => exchange }) };
}

function queueOf({ type = "quorum", arguments: own = {} }: AmqpQueueOptions): QueueSettings {
  return { type, own: ownArguments(own, type) };
}

function historyOf(history: boolean | AmqpHistoryOptions): Settings["history"] {
  if (history === false) return undefined;
  const { maxAgeMs, bytesMax } = history === true ? {} : history;
  return { maxAgeMs, bytesMax };
}
