/** What the README says to operators, compared with a server. */
import { readFileSync } from "node:fs";
import { type Bus, createBus } from "@halyard/core";
import { type Broker, startNats } from "@halyard/testkit/brokers";
import { type ConsumerConfig, type JetStreamManager, jetstreamManager, type StreamConfig } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nats } from "../src/index.ts";
import { exactPrivileges } from "./support/permissions.ts";

const user = { user: "bus", password: "bus-password-83" };
let broker: Broker;
let connection: NatsConnection;
let manager: JetStreamManager;
let bus: Bus;
const told: string[] = [];
const handled: number[] = [];
/** Subjects on which anybody has published. */
const used = new Set<string>();

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within 20 s: ${what}; ${told.join()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Under the exact list, with all that a bus does: retries, letters, an exclusive group, definitions, health. */
beforeAll(async () => {
  broker = await startNats({
    users: [
      { user: "root", password: "root" },
      { ...user, permissions: exactPrivileges() },
    ],
    isOwned: true,
  });
  connection = await connect({ servers: `127.0.0.1:${broker.port}`, user: "root", pass: "root" });
  manager = await jetstreamManager(connection);
  connection.subscribe(">", { callback: (_, { subject }) => void used.add(subject) });
  await connection.flush();
  const backend = nats({ url: `nats://127.0.0.1:${broker.port}`, ...user, inboxPrefix: "_INBOX_halyard" });
  bus = await createBus({ backend, namespace: "shop", retry: { delayMs: 300, factor: 1, jitter: 0, attemptsMax: 2 } });
  bus.on("warning", ({ text }) => void told.push(text));
  await bus.subscribe("task.new", { group: "workers", exclusive: true }, ({ payload }, { attempt }) => {
    if (payload === "bad" || attempt === 1) throw new Error("once");
    handled.push(attempt);
  });
  await bus.publish("task.new", 1);
  await bus.publish("task.new", "bad", { id: "bad" });
  await until(async () => handled.length === 1 && (await bus.deadLetters("workers").count()) === 1, "one is handled, one is a letter");
});

afterAll(async () => {
  await bus?.close();
  await connection?.close();
  await broker?.stop();
});

const rows = readFileSync(new URL("../README.md", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => /^\| .* \| .* \| .*\|$/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()));

const unitsNs = { s: 1e9, m: 60e9 };

/** The arguments that the row with this beginning names, as the server writes them. */
function argumentsOf(beginning: string): Record<string, unknown> {
  const row = rows.find(([, what]) => what === beginning);
  if (row === undefined) throw new Error(`the README has no row "${beginning}"`);
  return Object.fromEntries(
    [...(row[3] ?? "").matchAll(/`(\w+): ([^`]+)`/g)].map(([, name = "", value = ""]) => {
      const [, count, unit] = /^(\d+)([sm])$/.exec(value) ?? [];
      if (count !== undefined) return [name, Number(count) * unitsNs[unit as "s" | "m"]]; // the form above has these two
      if (name === "subjects") return [name, [value]];
      return [name, /^-?\d+$/.test(value) ? Number(value) : value === "true" ? true : value];
    }),
  );
}

/** Fields with their value where nobody sets them. */
const streamDefaults: Partial<StreamConfig> & Record<string, unknown> = {
  max_consumers: -1,
  max_msgs: -1,
  max_bytes: -1,
  max_age: 0,
  max_msgs_per_subject: -1,
  max_msg_size: -1,
};
const consumerDefaults: Partial<ConsumerConfig> & Record<string, unknown> = { replay_policy: "instant", max_waiting: 512, num_replicas: 0, mem_storage: false };

/** What the server has and nobody said: names and defaults are left out. */
function saidOf(config: object, defaults: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isSaid = ([name, value]: [string, unknown]): boolean => name !== "name" && name !== "durable_name" && value !== false && value !== defaults[name];
  return Object.fromEntries(Object.entries(config).filter(isSaid));
}

describe("the README", { timeout: 60_000 }, () => {
  it("names every argument of the streams", async () => {
    const places = { shop: "topics of the namespace", shop_inbox: "what belongs to groups", shop_dead: "dead letters" };
    for (const [stream, row] of Object.entries(places))
      expect(saidOf((await manager.streams.info(stream)).config, streamDefaults), stream).toEqual(argumentsOf(row));
  });

  it("names every argument of the consumers", async () => {
    const { config: topics } = await manager.consumers.info("shop", "workers");
    expect(saidOf(topics, consumerDefaults)).toEqual(argumentsOf("group"));
    const { config: inbox } = await manager.consumers.info("shop_inbox", "workers");
    expect(saidOf(inbox, consumerDefaults)).toEqual(argumentsOf("retries, hand-backs, redrives, direct sends"));
    for await (const { name, config } of manager.consumers.list("shop_inbox")) {
      if (name === "workers") continue;
      const { filter_subject: filter, ...others } = argumentsOf("what waits for its delay");
      expect(saidOf(config, consumerDefaults)).toEqual({ ...others, filter_subject: String(filter).replace("{class}", name.slice("wait+".length)) });
    }
  });

  it("lists all that a bus needs: nothing is denied", async () => {
    const letters = bus.deadLetters("workers");
    expect((await letters.list()).length).toBe(1);
    await letters.redrive("bad");
    await until(async () => (await letters.count()) === 1, "the letter is back");
    await letters.purge();
    expect((await bus.health()).error).toBeUndefined();
    await bus.groups.define("others", { add: ["b.#", "c.*.d"] });
    await bus.send("others", "b.c", 1);
    expect(await bus.groups.purge("others")).toBe(1);
    expect((await bus.groups.list())?.map(({ name }) => name).sort()).toEqual(["others", "workers"]);
    await bus.groups.remove("others");
    await bus.groups.define("behind", { add: ["b.#"] });
    await bus.publish("b.c", 1);
    await bus.publish("task.new", 2);
    await new Promise((resolve) => setTimeout(resolve, 16_000)); // a sweep is due by then
    expect(told.filter((text) => /denied/.test(text))).toEqual([]);
    expect((await manager.streams.info("shop")).state.messages).toBe(1);
    const isUsed = (permission: string): boolean =>
      [...used].some((subject) => (permission.endsWith(".>") ? subject.startsWith(permission.slice(0, -1)) : subject === permission));
    const history = "$JS.API.CONSUMER.CREATE.shop";
    expect(exactPrivileges().publish.filter((permission) => !isUsed(permission) && permission !== history)).toEqual([]);
  });
});
