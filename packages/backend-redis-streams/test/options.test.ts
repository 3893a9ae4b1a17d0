import { inspect } from "node:util";
import { isHalyardError } from "@halyard/core/spi";
import { expect, it } from "vitest";
import { redisStreams } from "../src/index.ts";
import { type RedisStreamsOptions, settingsOf } from "../src/options.ts";

it("reads a URL: host, port, user, password, database, TLS", () => {
  const { base, where } = settingsOf("rediss://us%40er:pa%3Ass@redis.example:6380/3").connection;
  expect(base).toEqual({ tls: {}, username: "us@er", password: "pa:ss", db: 3, host: "redis.example", port: 6380 });
  expect(where).toBe("redis.example:6380");
  expect(settingsOf("redis://[::1]").connection.base).toEqual({ host: "::1", port: 6379 });
});

it("knows the usual parts, sentinels and cluster nodes", () => {
  expect(settingsOf({}).connection).toEqual({ base: { host: "127.0.0.1", port: 6379 }, seeds: [], where: "127.0.0.1:6379" });
  expect(settingsOf({ sentinels: [{ host: "s1" }], name: "main" }).connection.base).toMatchObject({ sentinels: [{ host: "s1", port: 26_379 }], name: "main" });
  expect(settingsOf({ cluster: [{ host: "c1", port: 7000 }] }).connection.seeds).toEqual([{ host: "c1", port: 7000 }]);
});

it.each([
  ["an unknown option", { ports: 1 }],
  ["two places", { url: "redis://a", host: "b" }],
  ["another protocol", { url: "http://user:hidden-word@a" }],
  ["no URL", { url: "hidden-word" }],
  ["sentinels without a name", { sentinels: [{ host: "a" }] }],
  ["no node", { cluster: [] }],
  ["braces in the prefix", { keyPrefix: "{a}" }],
  ["a lease of nothing", { leaseMs: 0 }],
  ["half a millisecond", { dedupMs: 0.5 }],
  ["an unknown confirmation", { confirm: "some" }],
  ["a history of nothing", { history: { countMax: 0 } }],
] as readonly (readonly [string, object])[])("refuses %s, and names no password", (_, options) => {
  let thrown: unknown;
  try {
    redisStreams(options as RedisStreamsOptions); // wrong on purpose
  } catch (error) {
    thrown = error;
  }
  expect(isHalyardError(thrown, "INVALID_OPTIONS")).toBe(true);
  expect(inspect(thrown, { depth: 8 })).not.toContain("hidden-word");
});
