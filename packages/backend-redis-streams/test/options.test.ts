import { inspect } from "node:util";
import { isHalyardError } from "@halyard/core/spi";
import { Redis } from "ioredis";
import { expect, it } from "vitest";
import { redisStreams } from "../src/index.ts";
import { type RedisStreamsOptions, settingsOf } from "../src/options.ts";

it("reads a URL: host, port, user, password, database, TLS", () => {
  const { base, seeds, where } = settingsOf("rediss://us%40er:pa%3Ass@redis.example:6380/3").connection;
  expect(base).toEqual({ tls: {}, username: "us@er", password: "pa:ss", db: 3 });
  expect(seeds).toEqual([{ host: "redis.example", port: 6380 }]);
  expect(where).toBe("redis.example:6380");
  expect(settingsOf("redis://[::1]").connection.seeds).toEqual([{ host: "::1", port: 6379 }]);
});

it("knows the usual parts, sentinels and cluster nodes", () => {
  expect(settingsOf({}).connection).toMatchObject({ base: {}, seeds: [{ host: "127.0.0.1", port: 6379 }], where: "127.0.0.1:6379" });
  const { sentinel, where } = settingsOf({ sentinels: [{ host: "s1" }], name: "main" }).connection;
  expect(sentinel).toEqual({ sentinels: [{ host: "s1", port: 26_379 }], name: "main", base: {} });
  expect(where).toBe("main of the sentinels s1:26379");
  expect(settingsOf({ cluster: [{ host: "c1", port: 7000 }] }).connection.seeds).toEqual([{ host: "c1", port: 7000 }]);
});

it("needs no options", () => {
  expect(redisStreams().name).toBe("redis-streams");
  expect(settingsOf()).toEqual(settingsOf("redis://127.0.0.1"));
});

it("lets URL and options complete each other, and say the same twice", () => {
  const options = { url: "redis://app@h", password: "p", db: 3, port: 7, host: "h", username: "app", tls: { servername: "s" } };
  const { base, seeds } = settingsOf(options).connection;
  expect(base).toEqual({ username: "app", password: "p", db: 3, tls: { servername: "s" } });
  expect(seeds).toEqual([{ host: "h", port: 7 }]);
  expect(settingsOf({ url: "rediss://h", tls: { ca: "authority" } }).connection.base.tls).toEqual({ ca: "authority" });
});

it("uses TLS for the sentinels as well", () => {
  const options = { sentinels: [{ host: "s1" }], name: "main", tls: { ca: "authority" }, password: "q", sentinelPassword: "p" };
  const { base, sentinel } = settingsOf(options).connection;
  expect(base).toEqual({ tls: { ca: "authority" }, password: "q" });
  expect(sentinel?.base).toEqual({ tls: { ca: "authority" }, password: "p" });
});

it("keeps history with defaults, or as it is told", () => {
  expect(settingsOf({ history: true }).history).toEqual({ maxAgeMs: 86_400_000, countMax: 10_000 });
  expect(settingsOf({ history: { countMax: 5 } }).history).toEqual({ maxAgeMs: 86_400_000, countMax: 5 });
  expect(settingsOf({ history: false }).history).toBeUndefined();
});

it.each([
  ["an unknown option", { ports: 1 }, "ports is not an option of redisStreams()"],
  ["two places", { url: "redis://a", cluster: [{ host: "b" }] }, "url and cluster exclude each other"],
  ["two hosts", { url: "redis://a", host: "b" }, "host is said otherwise by the url"],
  ["two passwords", { url: "redis://u:hidden-word@a", password: "hidden-word-2" }, "password is said otherwise by the url"],
  ["two databases", { url: "redis://a/1", db: 2 }, "db is said otherwise by the url"],
  ["TLS and no TLS", { url: "rediss://a", tls: false }, "tls is said otherwise by the url"],
  ["another protocol", { url: "http://user:hidden-word@a" }, "url must look like redis://"],
  ["no URL", { url: "hidden-word" }, "url must look like redis://"],
  ["a % that is no escape", { url: "redis://u:%zzhidden-word@h" }, "write % as %25"],
  ["parameters that nobody reads", { url: "redis://h?tls=true&db=3" }, "url has a parameter that nobody reads"],
  ["a path that is no number", { url: "redis://h/hidden-word" }, "url may end in the number of a database only"],
  ["port 0", { port: 0 }, "port must be a whole number from 1 to 65535"],
  ["port 0 in a URL", { url: "redis://h:0" }, "url must have a port from 1 to 65535"],
  ["a host of nothing", { host: "" }, "host must be a text"],
  ["a password that is none", { password: 5 }, "password must be a text"],
  ["sentinels without a name", { sentinels: [{ host: "a" }] }, "name is missing"],
  ["a name without sentinels", { name: "main" }, "name is for sentinels"],
  ["a sentinel's password without sentinels", { sentinelPassword: "hidden-word" }, "sentinelPassword is for sentinels"],
  ["sentinels that are no list", { sentinels: "hidden-word", name: "main" }, "sentinels must be a list"],
  ["no node", { cluster: [] }, "cluster must be a list of at least one"],
  ["a misspelt node", { cluster: [{ hots: "a" }] }, "cluster[0].hots is not an option of cluster[0]: use host, port"],
  ["a database in a cluster", { cluster: [{ host: "a" }], db: 1 }, "db must be 0 in a cluster"],
  ["a client that is none", { client: { options: {} } }, "client must be a client of ioredis"],
  ["a client and a password", { client: new Redis({ lazyConnect: true }), password: "hidden-word" }, "password cannot be combined with client"],
  ["a client and a host", { client: new Redis({ lazyConnect: true }), host: "a" }, "host and client exclude each other"],
  [
    "a client with TLS for sentinels that is used for the master without",
    { client: new Redis({ sentinels: [{ host: "a" }], name: "main", tls: {}, sentinelTLS: {}, lazyConnect: true }) },
    "client speaks to the master in clear",
  ],
  [
    "a client that was to use TLS and was not told how",
    { client: new Redis({ sentinels: [{ host: "a" }], name: "main", enableTLSForSentinelMode: true, lazyConnect: true }) },
    "client speaks to the master in clear",
  ],
  [
    "a cluster client with TLS for some of its nodes",
    { client: { options: {}, duplicate: true, nodes: () => [{ options: { tls: {} } }, { options: {} }] } },
    "client speaks TLS to some nodes of its cluster only",
  ],
  ["a cluster client without nodes", { client: new Redis.Cluster([], { lazyConnect: true }) }, "client is a cluster that knows no node yet"],
  ["certificates that are not verified", { tls: { rejectUnauthorized: false } }, "tls verification cannot be switched off: give tls.ca"],
  ["a misspelt TLS option", { tls: { caFile: "a" } }, "tls.caFile is not an option of tls"],
  ["braces in the prefix", { keyPrefix: "{a}" }, "keyPrefix may hold"],
  ["a lease of nothing", { leaseMs: 0 }, "leaseMs must be a whole number"],
  ["a lease beyond all timers", { leaseMs: 2 ** 31 }, "leaseMs must be a whole number from 100 to 2147483647"],
  ["half a millisecond", { dedupMs: 0.5 }, "dedupMs must be a whole number"],
  ["an unknown confirmation", { confirm: "some" }, 'confirm must be "stored" or "replicated"'],
  ["a negative time, used or not", { replicaTimeoutMs: -5 }, "replicaTimeoutMs must be a whole number"],
  ["a history of nothing", { history: { countMax: 0 } }, "history.countMax must be a whole number of at least 1"],
  ["a misspelt history", { history: { maxAge: 5 } }, "history.maxAge is not an option of history: use maxAgeMs, countMax"],
  ["an unknown name", { names: { groups: "g" } }, "names.groups is not an option of names"],
  ["names that are none", { names: "hidden-word" }, "names takes an object"],
  ["nothing at all", null, "redisStreams() takes an object of options"],
] as readonly (readonly [string, object, string])[])("refuses %s, says what to do, and shows no password", (_, options, message) => {
  let thrown: unknown;
  try {
    redisStreams(options as RedisStreamsOptions); // wrong on purpose
  } catch (error) {
    thrown = error;
  }
  expect(isHalyardError(thrown, "INVALID_OPTIONS") && thrown.message).toContain(message);
  expect(inspect(thrown, { depth: 8 })).not.toContain("hidden-word");
});
