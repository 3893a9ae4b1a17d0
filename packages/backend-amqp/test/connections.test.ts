/** Connections that were handed in, nodes that do not answer, and what the management plugin may say about the place we are connected to. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type Bus, createBus, silentLogger } from "@halyard/core";
import { isHalyardError } from "@halyard/core/spi";
import { type RabbitmqBroker, startRabbitmq } from "@halyard/testkit/brokers";
import { type ChannelModel, connect } from "amqplib";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import { type AmqpOptions, amqp } from "../src/index.ts";
import { manage } from "./rabbitmq.ts";

let broker: RabbitmqBroker;
const buses: Bus[] = [];
const models: ChannelModel[] = [];
let namespaces = 0;

beforeAll(async () => {
  broker = await startRabbitmq({ isOwned: true });
}, 90_000);
afterAll(async () => broker?.stop());
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close({ timeoutMs: 500 })));
  await Promise.all(models.splice(0).map((model) => model.close().catch(() => undefined)));
});

async function open(options: AmqpOptions): Promise<Bus> {
  const bus = await createBus({ backend: amqp(options), namespace: `kit-${++namespaces}`, logger: silentLogger, limits: { startTimeoutMs: 5_000 } });
  buses.push(bus);
  return bus;
}

async function handedIn(vhost = "/"): Promise<ChannelModel> {
  const url = new URL(broker.url);
  url.pathname = `/${encodeURIComponent(vhost)}`;
  const model = await connect(url.href);
  model.on("error", () => undefined);
  models.push(model);
  return model;
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const untilMs = Date.now() + 15_000; !(await condition()); await sleep(20)) assert.ok(Date.now() < untilMs, `not within 15 s: ${what}`);
}

/** Counts what a connection hands to its socket. */
function piecesOf(model: ChannelModel): { readonly count: number } {
  const socket: unknown = Reflect.get(model.connection, "stream");
  assert.ok(socket instanceof Writable);
  let count = 0;
  for (const name of ["_write", "_writev"] as const) {
    const write = socket[name]?.bind(socket) as ((...parameters: unknown[]) => void) | undefined;
    socket[name] = (...parameters: unknown[]): void => {
      count++;
      write?.(...parameters);
    };
  }
  return {
    get count() {
      return count;
    },
  };
}

describe("connections to RabbitMQ", () => {
  it("carry what is published in one turn in one piece, and what the socket has no room for in a few", async () => {
    const publish = await handedIn();
    const bus = await open({ connection: { publish, consume: await handedIn() } });
    const pieces = piecesOf(publish);
    await Promise.all(Array.from({ length: 20 }, (_, n) => bus.publish("a.b", { n })));
    assert.equal(pieces.count, 1);
    // A socket takes 16 KiB before it asks to wait.
    await Promise.all(Array.from({ length: 500 }, (_, n) => bus.publish("a.b", { n, text: "x".repeat(1_000) })));
    assert.ok(pieces.count <= 60, `${pieces.count} pieces`);
  });

  it("handed in: groups of another vhost are listed where it is said, and unknown where the wrong one is", async () => {
    await manage(broker, "PUT", "vhosts/other");
    await manage(broker, "PUT", `permissions/other/${broker.user}`, { configure: ".*", write: ".*", read: ".*" });
    const { managementUrl, user, password } = broker;
    const bus = await open({ connection: await handedIn("other"), managementUrl, vhost: "other", user, password });
    await bus.groups.define("g", { add: ["a.#"] });
    assert.deepEqual(
      (await bus.groups.list())?.map(({ name, patterns }) => [name, patterns]),
      [["g", ["a.#"]]],
    );
    const wrong = await open({ connection: await handedIn("other"), managementUrl, vhost: "/", user, password });
    await wrong.groups.define("g", { add: ["a.#"] });
    assert.equal(await wrong.groups.list(), undefined);
    assert.equal((await wrong.groups.get("g"))?.patterns, undefined);
    assert.ok((await wrong.health()).warnings.some((text) => /check managementUrl and vhost/.test(text)));
  });

  it("handed in as two: an alarm that blocks publishers stops no ack", async () => {
    const bus = await open({ connection: { publish: await handedIn(), consume: () => handedIn() } });
    const seen: unknown[] = [];
    let goOn: () => void = () => undefined;
    const mayEnd = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    await bus.subscribe("a.#", { group: "g" }, async ({ payload }) => {
      seen.push(payload);
      await mayEnd;
    });
    await bus.publish("a.b", "before");
    await until(() => seen.length === 1, "it runs");
    const left = async (): Promise<string> => (await broker.control("list_queues", "--quiet", "name", "messages")).match(/\.group\.g\s+(\d+)/)?.[1] ?? "";
    await until(async () => (await left()) === "1", "the broker counts it, which takes it up to 5 s");
    const blocked = new Promise((resolve) => bus.on("publish-block", resolve));
    await broker.setMemoryAlarm(true);
    try {
      const later = bus.publish("a.b", "later", { signal: AbortSignal.timeout(20_000) });
      later.catch(() => undefined);
      await blocked;
      goOn();
      await until(async () => (await left()) === "0", "the ack arrives while publishers are blocked");
      await broker.setMemoryAlarm(false);
      await later;
    } finally {
      await broker.setMemoryAlarm(false);
    }
  }, 60_000);

  it("go to the next node where one does not answer, and stop where credentials are wrong", async () => {
    const { user, password } = broker;
    const urls = ["amqp://127.0.0.1:1", `amqp://127.0.0.1:${broker.port}`, "amqp://127.0.0.1:2"]; // nobody listens at 1 and 2
    for (let time = 0; time < 3; time++) await (await open({ urls, user, password })).publish("a.b", 1);
    await assert.rejects(open({ urls, user, password: "wrong" }), (error) => isHalyardError(error, "AUTH_FAILED"));
    await assert.rejects(open({ urls: [urls[0] as string, urls[2] as string], user, password }), (error) => isHalyardError(error) && error.retryable);
  });

  it("name policies that would drop what is ours, and only those", async () => {
    const { url, managementUrl } = broker;
    const bus = await open({ url, managementUrl });
    await bus.groups.define("g", { add: ["a.#"] });
    await manage(broker, "PUT", "queues/%2F/somebody-elses", { durable: true });
    const named = async (): Promise<readonly string[]> => (await bus.health()).warnings.filter((text) => text.includes("policy"));
    assert.deepEqual(await named(), []);
    const definition = { "delivery-limit": 20, "ha-mode": "all" };
    await manage(broker, "PUT", "policies/%2F/limits", { pattern: ".*", definition, "apply-to": "queues", priority: 1 });
    await manage(broker, "PUT", "policies/%2F/overruled", { pattern: ".*", definition: { "message-ttl": 1 }, "apply-to": "all", priority: 0 });
    await manage(broker, "PUT", "policies/%2F/others", { pattern: "^somebody", definition: { expires: 1_000_000 }, "apply-to": "all", priority: 9 });
    await manage(broker, "PUT", "operator-policies/%2F/company", { pattern: "group", definition: { "max-length": 1_000_000 }, "apply-to": "queues" });
    try {
      await until(async () => (await named()).length === 2, "both limits are named");
      const [limits = "", company = ""] = await named();
      assert.match(limits, /^The policy limits sets delivery-limit for the queue kit-\d+\.group\.g/);
      assert.match(company, /^The operator policy company sets max-length for the queue kit-\d+\.group\.g/);
    } finally {
      for (const name of ["limits", "overruled", "others"]) await manage(broker, "DELETE", `policies/%2F/${name}`);
      await manage(broker, "DELETE", "operator-policies/%2F/company");
    }
  });
});
