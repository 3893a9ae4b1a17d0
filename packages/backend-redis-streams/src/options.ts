/** What users may say to `redisStreams()`, and what it means. */
import {
  agreed,
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
import type { Cluster, Redis, RedisOptions } from "ioredis";
import { planOfClient } from "./handed-in.ts";
import { type Names, nameRules, namesOf } from "./keys.ts";
import { type ConnectionPlan, planOfMaster, planOfNodes, portDefault, type RedisAddress, sentinelPortDefault } from "./plan.ts";

export interface RedisStreamsOptions {
  /** `redis://user:password@host:6379/db`, or `rediss://…` for TLS. What it leaves out may stand beside it. */
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
  /** TLS with Node's options; `true`: with the usual authorities. The server's certificate is always verified; with `cert` and `key` we show ours. */
  readonly tls?: boolean | ClientTls;
  /** Sentinels that know the master called `name`. */
  readonly sentinels?: readonly RedisAddress[];
  /** The master's name at the sentinels. */
  readonly name?: string;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  /** Some nodes of a Redis Cluster. The namespace's one hash slot decides which node is used. */
  readonly cluster?: readonly RedisAddress[];
  /** A client of yours whose address, credentials and TLS are used, as they are. It is duplicated, never used itself and never closed. */
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
  /** Keeps what was published, a stream a topic, for `bus.history` and groups that start earlier. `true`: with the defaults. Default false. */
  readonly history?: boolean | HistoryOptions;
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

/** Timers take no more. */
const msMax = 2 ** 31 - 1;
const port = whole(1, 65_535);

const historyRules: OptionRules<HistoryOptions> = { maxAgeMs: whole(1), countMax: whole(1) };
const addressRules: OptionRules<RedisAddress> = { host: text(), port };
const clientRule: OptionRule<Redis | Cluster> = (name, value) => {
  if (typeof value === "object" && value !== null && "options" in value && "duplicate" in value) return value as Redis | Cluster; // no other class has both
  throw invalidOption(name, "must be a client of ioredis");
};

const rules: OptionRules<RedisStreamsOptions> = {
  url: text(),
  host: text(),
  port,
  username: text(),
  password: text(),
  db: whole(0),
  tls: (name, value) => (typeof value === "boolean" ? value : clientTls(name, value)),
  sentinels: listOf(objectOf(addressRules)),
  name: text(),
  sentinelUsername: text(),
  sentinelPassword: text(),
  cluster: listOf(objectOf(addressRules)),
  client: clientRule,
  // Braces would decide the hash slot instead of the namespace's.
  keyPrefix: text(/^[A-Za-z0-9_.:/-]{0,100}$/, "may hold A-Z a-z 0-9 _ . : / - only, 100 characters at most"),
  names: objectOf(nameRules),
  leaseMs: whole(100, msMax),
  blockMs: whole(10, msMax),
  commandTimeoutMs: whole(10, msMax),
  dedupMs: whole(0),
  dedupIdsMax: whole(1),
  groupMessagesMax: whole(1),
  history: (name, value) => (typeof value === "boolean" ? value : objectOf(historyRules)(name, value)),
  confirm: oneOf("stored", "replicated"),
  replicaTimeoutMs: whole(1, msMax),
};

/** @throws INVALID_OPTIONS */
export function settingsOf(given: string | RedisStreamsOptions = {}): Settings {
  const options = readOptions("redisStreams()", typeof given === "string" ? { url: given } : given, rules);
  const { keyPrefix = "", confirm = "stored", replicaTimeoutMs = 1_000 } = options;
  return {
    connection: planOf(options),
    keyPrefix,
    names: namesOf(options.names ?? {}),
    leaseMs: options.leaseMs ?? 30_000,
    blockMs: options.blockMs ?? 5_000,
    commandTimeoutMs: options.commandTimeoutMs ?? 5_000,
    dedupMs: options.dedupMs ?? 60_000,
    dedupIdsMax: options.dedupIdsMax ?? 16_777_216,
    groupMessagesMax: options.groupMessagesMax ?? 1_000_000,
    history: historyOf(options.history ?? false),
    replicaTimeoutMs: confirm === "replicated" ? replicaTimeoutMs : undefined,
  };
}

function historyOf(history: boolean | HistoryOptions): Settings["history"] {
  if (history === false) return undefined;
  const { maxAgeMs = 86_400_000, countMax = 10_000 } = history === true ? {} : history;
  return { maxAgeMs, countMax };
}

function planOf(options: RedisStreamsOptions): ConnectionPlan {
  const { url, host, port, sentinels, cluster, client } = options;
  const ways = Object.entries({ url, host, port, sentinels, cluster, client }).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const isOneAddress = sentinels === undefined && cluster === undefined && client === undefined;
  if (!isOneAddress && ways.length > 1) throw invalidOption(ways.join(" and "), "exclude each other: say once where Redis is");
  if (sentinels === undefined) refuseAll(options, ["name", "sentinelUsername", "sentinelPassword"], "is for sentinels: give them too");
  if (client !== undefined) {
    refuseAll(options, ["username", "password", "db", "tls"], "cannot be combined with client, which has its own");
    return planOfClient(client);
  }
  if (sentinels !== undefined) return planOfSentinels(options, sentinels);
  if (cluster !== undefined) {
    if ((options.db ?? 0) > 0) throw invalidOption("db", "must be 0 in a cluster, which has no other: use keyPrefix");
    return planOfNodes(baseOf(options), cluster);
  }
  return planOfAddress(options);
}

/** What would be ignored is a mistake. */
function refuseAll(options: RedisStreamsOptions, names: readonly (keyof RedisStreamsOptions)[], why: string): void {
  const found = names.find((name) => options[name] !== undefined);
  if (found !== undefined) throw invalidOption(found, why);
}

type Access = { readonly [Name in "username" | "password" | "db" | "tls"]?: RedisStreamsOptions[Name] | undefined };

function baseOf({ username, password, db, tls }: Access): RedisOptions {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(db === undefined ? {} : { db }),
    ...(tls === undefined || tls === false ? {} : { tls: tls === true ? {} : tls }),
  };
}

function planOfAddress(options: RedisStreamsOptions): ConnectionPlan {
  const said =
    options.url === undefined ? undefined : readUrl("url", options.url, { protocols: ["redis", "rediss"], example: "redis://user:password@host:6379" });
  if (said?.path !== undefined && !/^\d{1,9}$/.test(said.path)) throw invalidOption("url", "may end in the number of a database only");
  const hasTls = said?.protocol === "rediss";
  if (hasTls && options.tls === false) throw invalidOption("tls", "is said otherwise by the url, which begins with rediss:");
  const base = baseOf({
    username: agreed("username", said?.username, options.username),
    password: agreed("password", said?.password, options.password),
    db: agreed("db", said?.path === undefined ? undefined : Number(said.path), options.db),
    tls: options.tls ?? hasTls,
  });
  const place = { host: agreed("host", said?.host, options.host) ?? "127.0.0.1", port: agreed("port", said?.port, options.port) ?? portDefault };
  return planOfNodes(base, [place]);
}

function planOfSentinels(options: RedisStreamsOptions, given: readonly RedisAddress[]): ConnectionPlan {
  const { name, sentinelUsername: username, sentinelPassword: password, tls } = options;
  if (name === undefined) throw invalidOption("name", "is missing: the master's name at the sentinels");
  const sentinels = given.map((one) => ({ port: sentinelPortDefault, ...one }));
  return planOfMaster(baseOf(options), { name, sentinels, base: baseOf({ username, password, tls }) });
}
