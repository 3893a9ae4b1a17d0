/** What users may say to `redisStreams()`, and what it means. */
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { HalyardError } from "@halyard/core/spi";
import type { Cluster, Redis, RedisOptions } from "ioredis";
import { type Names, namesOf } from "./keys.ts";

/** Where one Redis server listens. */
export interface RedisAddress {
  readonly host: string;
  /** Default 6379. */
  readonly port?: number;
}

export interface RedisStreamsOptions {
  /** `redis://user:password@host:6379` or `rediss://…` (TLS). Instead of `host` and its company. */
  readonly url?: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 6379. */
  readonly port?: number;
  /** An ACL user; default `default`. */
  readonly username?: string;
  readonly password?: string;
  /** Number of the database. Prefer `keyPrefix`: a cluster has database 0 only, and pub-sub channels are the same in all of them. Default 0. */
  readonly db?: number;
  /** TLS with the options of `node:tls`; `true`: with the system's authorities. Certificates are verified unless you switch it off. */
  readonly tls?: boolean | TlsOptions;
  /** Sentinels that know the master called `name`. */
  readonly sentinels?: readonly RedisAddress[];
  /** The master's name at the sentinels. */
  readonly name?: string;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  /** Some nodes of a Redis Cluster. The namespace's one hash slot decides which node is used. */
  readonly cluster?: readonly RedisAddress[];
  /** A client of yours whose address, credentials and TLS are used. It is duplicated, never used itself and never closed. */
  readonly client?: Redis | Cluster;
  /** Before every key and channel, e.g. `app:`. Default none. */
  readonly keyPrefix?: string;
  /** Other parts of key names, see `Names`. Every process and program on one namespace must use the same. */
  readonly names?: Partial<Names>;
  /** A delivery that is neither settled nor extended for so long goes to another member, milliseconds. Core extends three times within it. Default 30,000. */
  readonly leaseMs?: number;
  /** How long one blocking read waits on the server, milliseconds. Default 5,000. */
  readonly blockMs?: number;
  /** A command without an answer for so long ends the connection, milliseconds. Default 5,000. */
  readonly commandTimeoutMs?: number;
  /** How long a repeated id on one topic is recognised, milliseconds; it may be a quarter longer. 0: never. About 130 bytes of the server's memory an id. Default 60,000. */
  readonly dedupMs?: number;
  /** Most ids remembered for that. Above it publishes are refused with `BACKPRESSURE`. Default 16,777,216. */
  readonly dedupIdsMax?: number;
  /** Most messages that one group's stream holds, in flight included. Above it publishes are refused with `BACKPRESSURE`. Default 1,000,000. */
  readonly groupMessagesMax?: number;
  /** Keeps what was published, a stream a topic, for `bus.history` and groups that start earlier. Default false. */
  readonly history?: false | HistoryOptions;
  /** `replicated`: a publish is accepted when one replica has it too (`WAIT 1`). Default `stored`: when the server has it. */
  readonly confirm?: "stored" | "replicated";
  /** With `confirm: "replicated"`: how long a replica is waited for, milliseconds; then the publish counts as unknown and is repeated. Default 1,000. */
  readonly replicaTimeoutMs?: number;
}

export interface HistoryOptions {
  /** Older messages go, milliseconds. Default 86,400,000 (a day). */
  readonly maxAgeMs?: number;
  /** About so many messages are kept of each topic. Default 10,000. */
  readonly countMax?: number;
}

export interface Settings {
  readonly connection: ConnectionPlan;
  readonly keyPrefix: string;
  readonly names: Names;
  readonly leaseMs: number;
  readonly blockMs: number;
  readonly commandTimeoutMs: number;
  readonly dedupMs: number;
  readonly dedupIdsMax: number;
  readonly groupMessagesMax: number;
  readonly history: { readonly maxAgeMs: number; readonly countMax: number } | undefined;
  readonly replicaTimeoutMs: number | undefined;
}

/** How to reach the server: what ioredis is told, and where a cluster's nodes may be. */
export interface ConnectionPlan {
  readonly base: RedisOptions;
  /** Tried in turn; one entry without a cluster, none where `base` says it all. */
  readonly seeds: readonly RedisAddress[];
  /** For errors: the address without credentials. */
  readonly where: string;
}

const portDefault = 6379;
const known: ReadonlySet<string> = new Set<keyof RedisStreamsOptions>([
  "url",
  "host",
  "port",
  "username",
  "password",
  "db",
  "tls",
  "sentinels",
  "name",
  "sentinelUsername",
  "sentinelPassword",
  "cluster",
  "client",
  "keyPrefix",
  "names",
  "leaseMs",
  "blockMs",
  "commandTimeoutMs",
  "dedupMs",
  "dedupIdsMax",
  "groupMessagesMax",
  "history",
  "confirm",
  "replicaTimeoutMs",
]);

/** @throws INVALID_OPTIONS */
export function settingsOf(given: string | RedisStreamsOptions): Settings {
  const options: RedisStreamsOptions = typeof given === "string" ? { url: given } : given;
  if (typeof options !== "object" || options === null) throw invalid("redisStreams()", "takes a URL or an object of options");
  for (const name of Object.keys(options)) if (!known.has(name)) throw invalid(name, `is not an option of redisStreams(): use ${[...known].join(", ")}`);
  const { keyPrefix = "", confirm = "stored" } = options;
  // Braces in the prefix would decide the hash slot instead of the namespace's.
  if (typeof keyPrefix !== "string" || !/^[A-Za-z0-9_.:/-]{0,100}$/.test(keyPrefix)) throw invalid("keyPrefix", "may hold A-Z a-z 0-9 _ . : / - only");
  if (confirm !== "stored" && confirm !== "replicated") throw invalid("confirm", `is ${String(confirm)}: use "stored" or "replicated"`);
  return {
    connection: planOf(options),
    keyPrefix,
    names: namesOf(options.names ?? {}),
    leaseMs: whole("leaseMs", options.leaseMs ?? 30_000, 100),
    blockMs: whole("blockMs", options.blockMs ?? 5_000, 10),
    commandTimeoutMs: whole("commandTimeoutMs", options.commandTimeoutMs ?? 5_000, 10),
    dedupMs: whole("dedupMs", options.dedupMs ?? 60_000, 0),
    dedupIdsMax: whole("dedupIdsMax", options.dedupIdsMax ?? 16_777_216, 1),
    groupMessagesMax: whole("groupMessagesMax", options.groupMessagesMax ?? 1_000_000, 1),
    history: historyOf(options.history),
    replicaTimeoutMs: confirm === "replicated" ? whole("replicaTimeoutMs", options.replicaTimeoutMs ?? 1_000, 1) : undefined,
  };
}

function historyOf(history: RedisStreamsOptions["history"]): Settings["history"] {
  if (history === undefined || history === false) return undefined;
  if (typeof history !== "object" || history === null) throw invalid("history", "takes false or { maxAgeMs, countMax }");
  return {
    maxAgeMs: whole("history.maxAgeMs", history.maxAgeMs ?? 86_400_000, 1),
    countMax: whole("history.countMax", history.countMax ?? 10_000, 1),
  };
}

function planOf(options: RedisStreamsOptions): ConnectionPlan {
  const { url, host, port, sentinels, cluster, client } = options;
  const ways = Object.entries({ url, host: host ?? port, sentinels, cluster, client }).filter(([, value]) => value !== undefined);
  if (ways.length > 1) throw invalid(ways.map(([name]) => name).join(" and "), "exclude each other: say once where Redis is");
  if (client !== undefined) return planOfClient(client);
  const base: RedisOptions = { ...credentialsOf(options), ...(options.db === undefined ? {} : { db: whole("db", options.db, 0) }), ...tlsOf(options.tls) };
  if (url !== undefined) return planOfUrl(url, base);
  if (sentinels !== undefined) return planOfSentinels(options, base);
  if (cluster !== undefined) {
    if (cluster.length === 0) throw invalid("cluster", "needs at least one node");
    return { base, seeds: cluster, where: cluster.map(nameOf).join(", ") };
  }
  const place = { host: host ?? "127.0.0.1", port: whole("port", port ?? portDefault, 1) };
  return { base: { ...base, ...place }, seeds: [], where: nameOf(place) };
}

function planOfSentinels(options: RedisStreamsOptions, base: RedisOptions): ConnectionPlan {
  const { sentinels = [], name, sentinelUsername, sentinelPassword, tls } = options;
  if (sentinels.length === 0) throw invalid("sentinels", "needs at least one sentinel");
  if (name === undefined) throw invalid("name", "is missing: the master's name at the sentinels");
  const list = sentinels.map(({ host, port = 26_379 }) => ({ host, port }));
  const sentinelTls = tls === undefined || tls === false ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tls === true ? {} : tls };
  return {
    base: {
      ...base,
      ...sentinelTls,
      sentinels: list,
      name,
      ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
      ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
      sentinelRetryStrategy: () => null,
    },
    seeds: [],
    where: `${name} of the sentinels ${list.map(nameOf).join(", ")}`,
  };
}

/** Parsed here and not by the client: what is wrong with it must not be told with the password in it. */
function planOfUrl(text: string, base: RedisOptions): ConnectionPlan {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "redis:" && url.protocol !== "rediss:")) throw invalid("url", "must begin with redis:// or rediss://");
  const place = { host: url.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1", port: url.port === "" ? portDefault : Number(url.port) };
  const database = url.pathname.replace(/^\//, "");
  if (!/^\d*$/.test(database)) throw invalid("url", "may end in the number of a database only");
  return {
    base: {
      ...(url.protocol === "rediss:" ? { tls: {} } : {}),
      ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
      ...(database === "" ? {} : { db: Number(database) }),
      ...base,
      ...place,
    },
    seeds: [],
    where: nameOf(place),
  };
}

/** A cluster client is asked for its nodes, since this backend follows the namespace's slot by itself. */
function planOfClient(client: Redis | Cluster): ConnectionPlan {
  if ("nodes" in client) {
    const nodes = client.nodes("all");
    const seeds = nodes.map(({ options: { host = "127.0.0.1", port = portDefault } }) => ({ host, port }));
    if (seeds.length === 0) throw invalid("client", "is a cluster that knows no node yet: wait until it is ready");
    return { base: nodes[0]?.options ?? {}, seeds, where: seeds.map(nameOf).join(", ") };
  }
  const { options } = client;
  return { base: options, seeds: [], where: options.sentinels == null ? nameOf({ host: options.host ?? "", port: options.port ?? portDefault }) : "sentinels" };
}

function credentialsOf({ username, password }: RedisStreamsOptions): RedisOptions {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

function tlsOf(tls: RedisStreamsOptions["tls"]): RedisOptions {
  if (tls === undefined || tls === false) return {};
  return { tls: tls === true ? {} : tls };
}

const nameOf = ({ host, port = portDefault }: RedisAddress): string => `${host}:${port}`;

function whole(name: string, value: unknown, min: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min) return value;
  throw invalid(name, `is ${String(value)}: use a whole number of at least ${min}`);
}

const invalid = (name: string, text: string): HalyardError => new HalyardError("INVALID_OPTIONS", `${name} ${text}.`, { details: { option: name } });
