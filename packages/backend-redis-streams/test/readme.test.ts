/** What the README says to operators, compared with what Redis is asked: every name is in it, and the user may do all that is needed and nothing else. */
import { readFileSync } from "node:fs";
import { type Bus, createBus, silentLogger } from "@halyard/core";
import { type Broker, startRedis } from "@halyard/testkit/brokers";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisStreamsOptions, redisStreams } from "../src/index.ts";
import { leastPrivileges } from "./least-privileges.ts";
import { until } from "./redis-fixture.ts";

const password = "readme-password-4f";
const root = "{shop}:";
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** Names of keys and channels in the README, as expressions. What `names` can change stands in italics there, between two pieces of code. */
const namesOfReadme = new Map([...readme.replaceAll("`*`", "").matchAll(/`(\{shop\}:[^` ]+)`/g)].map(([, name = ""]) => [name, formOf(name)]));

/** `workers` is any group, and what stands in braces is any of its kind. */
function formOf(name: string): RegExp {
  const rest = name.slice(root.length).replaceAll(/\{[^}]*\}|workers/g, "*");
  return new RegExp(`^${rest.replaceAll(/[.#]/g, "\\$&").replaceAll("*", ".+")}$`);
}

let broker: Broker;
let operator: Redis | undefined;
let monitor: Redis | undefined;
/** Commands that Redis was given, those of scripts too, as the rule has them. */
let commands: ReadonlySet<string> = new Set();
/** Keys and channels, without their root. */
const names = new Set<string>();
const told: string[] = [];

const allowed = leastPrivileges(root).split(" ").filter((word) => word.startsWith("+")).map((word) => word.slice(1)); // biome-ignore format: one thought

function note(args: readonly string[]): void {
  for (const arg of args) if (arg.startsWith(root) && arg !== root) names.add(arg.slice(root.length));
}

async function open(options: Partial<RedisStreamsOptions> = {}): Promise<Bus> {
  const own = { port: broker.port, username: "halyard", password, leaseMs: 600, blockMs: 300, dedupMs: 400, history: { maxAgeMs: 1_500 } } as const;
  const backend = redisStreams({ ...own, ...options });
  const bus = await createBus({ backend, namespace: "shop", logger: silentLogger, retry: { delayMs: 100, jitter: 0, attemptsMax: 2 } });
  bus.on("warning", ({ text }) => void told.push(text));
  return bus;
}

/** All that a bus does: retries, letters, exclusive and removed groups, a start in the past, live copies, history, health. */
beforeAll(async () => {
  broker = await startRedis({ isOwned: true, users: [`halyard on >${password} ${leastPrivileges(root)}`] });
  const redis = new Redis(broker.url, { protocol: 2, replyMapping: "legacy", disableClientInfo: true });
  operator = redis;
  monitor = await redis.monitor();
  monitor.on("monitor", (_: string, args: readonly string[]) => note(args));
  await redis.config("RESETSTAT");

  const [bus, other] = [await open(), await open()];
  const seen: unknown[] = [];
  const live: unknown[] = [];
  const handler = ({ payload }: { readonly payload: unknown }): void => {
    seen.push(payload);
    if (payload === "bad") throw new Error("always");
  };
  const members = [];
  for (const one of [bus, other]) members.push(await one.subscribe("task.#", { group: "workers", exclusive: true, idleExpiryMs: 60_000 }, handler));
  await bus.subscribe("task.new", { group: "crowd" }, () => new Promise((resolve) => setTimeout(resolve, 900))); // longer than its lease
  const copies = [await bus.subscribe("task.new", {}, ({ payload }) => void live.push(payload)), await bus.subscribe("#", {}, () => undefined)];
  await bus.publish("task.new", "good", { id: "good" });
  await bus.publish("task.new", "bad", { id: "bad" });
  const letters = bus.deadLetters("workers");
  await until(async () => (await letters.count()) === 1, "a dead letter");
  expect((await letters.list()).length).toBe(1);
  await letters.redrive("bad");
  await until(async () => (await letters.count()) === 1, "it is a letter again");
  await letters.remove("bad");
  await letters.purge();
  await bus.send("workers", "task.sent", 1);
  await bus.groups.define("old", { add: ["task.#"] });
  await bus.publish("task.new", "kept", { id: "kept" });
  expect(await bus.groups.purge("old")).toBe(1);
  await bus.groups.remove("old");
  await bus.subscribe("task.#", { group: "late", from: "earliest" }, () => undefined);
  for await (const _ of bus.history("task.#", { limit: 2 }));
  const health = await bus.health();
  expect(health.error).toBeUndefined();
  await bus.inspect();
  const replicated = await open({ confirm: "replicated", replicaTimeoutMs: 50 });
  await replicated.publish("task.new", "unsure", { timeoutMs: 300 }).catch(() => undefined); // there is no replica
  await replicated.close();
  await redis.script("FLUSH");
  await bus.publish("task.new", "after", { id: "after" });
  members[0]?.pause();
  await until(async () => (await redis.exists(`${root}topics`)) === 0, "the history is too old, and goes");
  members[0]?.resume();
  for (const copy of copies) await copy.close();
  await until(() => seen.includes("kept") && live.includes("kept"), "all arrives");
  for (const one of [bus, other]) await one.close();
  commands = new Set([...(await redis.info("commandstats")).matchAll(/^cmdstat_([^:]+):/gm)].map(([, name = ""]) => name));
}, 60_000);

afterAll(async () => {
  monitor?.disconnect();
  operator?.disconnect();
  await broker?.stop();
});

describe("the README", () => {
  it("has every name of a key or a channel", () => {
    const unknown = [...names].filter((name) => ![...namesOfReadme.values()].some((form) => form.test(name)));
    expect(unknown).toEqual([]);
  });

  it("has no name that is not there", () => {
    const unused = [...namesOfReadme].filter(([, form]) => ![...names].some((name) => form.test(name))).map(([name]) => name);
    expect(unused).toEqual([]);
  });

  it("allows all that a bus needs: nothing is refused", () => {
    expect(told).toEqual([]);
  });

  it("allows nothing else", () => {
    expect(allowed.filter((name) => !commands.has(name))).toEqual([]);
  });
});
