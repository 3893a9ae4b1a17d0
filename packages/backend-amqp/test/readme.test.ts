/** What the README says is made on the broker is compared with what a run makes there, by RabbitMQ's own tool. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createBus, silentLogger } from "@halyard/core";
import { systemClock } from "@halyard/core/spi";
import { type RabbitmqBroker, startRabbitmq } from "@halyard/testkit/brokers";
import { afterAll, beforeAll, describe, it } from "vitest";
import { amqp } from "../src/index.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

interface Row {
  /** Matches the names that the row is about. */
  readonly name: RegExp;
  readonly kind: ReadonlySet<string>;
  readonly arguments: ReadonlyMap<string, string | undefined>;
  readonly cells: readonly string[];
}

/** The table whose first column is called so. */
function tableOf(first: string): readonly Row[] {
  const from = readme.indexOf(`| ${first} |`);
  assert.ok(from >= 0, `the README has no table of ${first}s`);
  const lines = readme.slice(from, readme.indexOf("\n\n", from)).split("\n").slice(2);
  return lines.flatMap((line) => {
    const cells = line.split("|").slice(1, -1).map((cell) => cell.trim()); // biome-ignore format: one step
    const [nameCell = "", kind = "", args = ""] = cells;
    const name = /^`([^`]+)`$/.exec(nameCell)?.[1];
    if (name === undefined) return [];
    return [{ name: patternOf(name), kind: new Set(kind.replace(/,.*/, "").split(" ")), arguments: argumentsOf(first === "queue" ? args : kind), cells }];
  });
}

const patternOf = (name: string): RegExp =>
  new RegExp(
    `^${name
      .replaceAll(".", "\\.")
      .replaceAll("{ms}", "(?<ms>\\d+)")
      .replace(/\{\w+\}/g, "[^.]+")}$`,
  );
const argumentsOf = (cell: string): ReadonlyMap<string, string | undefined> =>
  new Map([...cell.matchAll(/`([a-z-]+)(?:: ([^`]+))?`/g)].map(([, name = "", value]) => [name, value]));

interface Found {
  readonly name: string;
  readonly arguments: readonly (readonly [string, string, unknown])[];
  readonly [column: string]: unknown;
}

let broker: RabbitmqBroker;
beforeAll(async () => {
  broker = await startRabbitmq({ isOwned: true });
}, 90_000);
afterAll(async () => broker?.stop());

async function list(what: "queues" | "exchanges", columns: readonly string[]): Promise<readonly Found[]> {
  const found = JSON.parse(await broker.control(`list_${what}`, "--quiet", "--formatter", "json", "name", "arguments", ...columns)) as readonly Found[];
  return found.filter(({ name }) => name === "shop" || name.startsWith("shop."));
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const untilMs = Date.now() + 15_000; !(await condition()); await sleep(10)) assert.ok(Date.now() < untilMs, `not within 15 s: ${what}`);
}

/** Arguments of one found object against those of its row: all that are stated and no others. */
function assertArguments(found: Found, row: Row, ms: string | undefined): void {
  const actual = new Map(found.arguments.map(([name, , value]) => [name, String(value)]));
  for (const [name, value] of row.arguments)
    if (value !== undefined) assert.equal(actual.get(name), value.replaceAll("{ms}", ms ?? ""), `${name} of ${found.name}`);
  const unstated = [...actual.keys()].filter((name) => !row.arguments.has(name));
  assert.deepEqual(unstated, [], `arguments of ${found.name} that the README does not state`);
}

describe("the README's tables of what is on the broker", () => {
  it("are true of queues and exchanges, with exact names and arguments, and complete", async () => {
    const options = { url: broker.url, history: { maxAgeMs: 60_000, bytesMax: 1_000_000 } };
    const bus = await createBus({ backend: amqp(options), namespace: "shop", logger: silentLogger, retry: { attemptsMax: 2, delayMs: 50, jitter: 0 } });
    await bus.groups.define("mail", { add: ["a.#"] });
    await bus.groups.remove("mail"); // so that shop.removed.mail is there, and the group's life is not 0
    await bus.subscribe("a.#", { group: "mail", exclusive: true, idleExpiryMs: 60_000 }, () => {
      throw new Error("always");
    });
    await bus.subscribe("a.#", () => undefined);
    await bus.publish("a.b", 1);
    await until(async () => (await bus.deadLetters("mail").count()) === 1, "a dead letter");
    let queues: readonly Found[] = [];
    const host = { namespace: "shop", clientName: "walker", clock: systemClock, random: Math.random, report: () => undefined };
    const signal = new AbortController().signal;
    const walker = await amqp(options).connect(host, signal);
    await walker.deadLetters.walk("mail", { pageMax: 1, signal }, async () => {
      queues = await list("queues", ["durable", "exclusive", "auto_delete"]);
      return [];
    });
    await walker.close();
    const exchanges = await list("exchanges", ["type", "durable"]);
    const bindings = JSON.parse(await broker.control("list_bindings", "--quiet", "--formatter", "json", "source_name", "destination_name", "routing_key"));
    await bus.close();

    const rows = tableOf("queue");
    const used = new Set<Row>();
    for (const queue of queues) {
      const row = rows.find(({ name }) => name.test(queue.name));
      assert.ok(row, `the README does not know the queue ${queue.name}`);
      used.add(row);
      const kind = [queue.durable && "durable", queue.exclusive && "exclusive", queue.auto_delete && "auto-delete"].filter(Boolean);
      assert.deepEqual(new Set(kind), row.kind, `kind of ${queue.name}`);
      const ms = row.name.exec(queue.name)?.groups?.ms;
      assertArguments(queue, row, ms);
      const keys = [...(row.cells[3] ?? "").matchAll(/`([\w.]+)` by `([^`]+)`/g)];
      for (const [, source, key = ""] of keys) {
        const routing_key = key.replace("{ms}", ms ?? "").replace("{life}", "1");
        const wanted = { source_name: source, destination_name: queue.name, routing_key };
        assert.ok(
          bindings.some((one: object) => JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(wanted).sort())),
          JSON.stringify(wanted),
        );
      }
    }
    assert.deepEqual(rows.filter((row) => !used.has(row)).map(({ name }) => name.source), [], "rows that nothing was made of"); // biome-ignore format: one thought

    const exchangeRows = tableOf("exchange");
    assert.equal(exchanges.length, exchangeRows.length);
    for (const exchange of exchanges) {
      const row = exchangeRows.find(({ name }) => name.test(exchange.name));
      assert.ok(row, `the README does not know the exchange ${exchange.name}`);
      assert.deepEqual(new Set([exchange.durable && "durable", exchange.type]), row.kind);
      assertArguments(exchange, row, undefined);
    }
  }, 60_000);

  it("are true of a group's queue that is classic", async () => {
    const bus = await createBus({ backend: amqp({ url: broker.url, queue: { type: "classic" } }), namespace: "shop", logger: silentLogger });
    await bus.groups.define("classic", { add: [] });
    const queue = (await list("queues", [])).find(({ name }) => name === "shop.group.classic");
    await bus.close();
    const line = readme.split("\n").find((text) => text.startsWith('| the same with `queue.type: "classic"`')) ?? "";
    const stated = argumentsOf(line.split("|")[3] ?? "");
    assert.deepEqual(
      new Map(queue?.arguments.map(([name, , value]) => [name, String(value)])),
      new Map([...stated].filter(([, value]) => value !== undefined)),
    );
  });
});
