/** What a broker can be told, seen from its own protocol. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { isHalyardError } from "@halyard/core";
import { afterEach, describe, it, onTestFinished, vi } from "vitest";
import { findBroker, requireBroker, startNats, startRabbitmq, startRedis } from "../../src/brokers/index.ts";
import { openLine } from "../../src/brokers/line.ts";
import { probeAmqp } from "../../src/brokers/probe-amqp.ts";
import { askRedis } from "../../src/brokers/probe-redis.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("a broker that runs already", () => {
  it("is used where its variable is set and nothing is asked of it", async () => {
    vi.stubEnv("HALYARD_TEST_NATS_URL", "nats://user:secret@192.0.2.1");
    const broker = await startNats();
    assert.deepEqual([broker.url, broker.host, broker.port, broker.isOwned], ["nats://user:secret@192.0.2.1", "192.0.2.1", 4222, false]);
    await assert.rejects(broker.kill(), (error) => isHalyardError(error, "UNSUPPORTED"));
    assert.throws(
      () => broker.pause(),
      (error) => isHalyardError(error, "UNSUPPORTED"),
    );
    await broker.stop();
  });

  it("is not used where one of our own is asked for", async () => {
    vi.stubEnv("HALYARD_TEST_REDIS_URL", "redis://192.0.2.1:1");
    const broker = await startRedis({ isOwned: true });
    onTestFinished(() => broker.stop());
    assert.equal(broker.host, "127.0.0.1");
  });
});

it("a broker is looked for in its variable first, then among the programs of the machine", () => {
  vi.stubEnv("HALYARD_TEST_REDIS_URL", "redis://127.0.0.1:1");
  assert.deepEqual(requireBroker("redis"), { url: "redis://127.0.0.1:1" });
  vi.stubEnv("HALYARD_TEST_REDIS_URL", "");
  const found = findBroker("redis");
  assert.ok(found !== undefined && "program" in found && existsSync(found.program));
});

it("a broker that does not start is an error that shows its log, and leaves nothing behind", async () => {
  const before = ours();
  await assert.rejects(
    startRedis({ config: ["no-such-setting 1"] }),
    (error) => isHalyardError(error, "CONNECT_FAILED") && /no-such-setting/.test(error.message),
  );
  await assert.rejects(
    startNats({ config: "port: nonsense {" }),
    (error) => isHalyardError(error, "CONNECT_FAILED") && /ended while it started/.test(error.message),
  );
  assert.deepEqual(
    ours().filter((name) => !before.includes(name) && /redis|nats/.test(name)),
    [],
  );
});

const ours = (): readonly string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("halyard-"));

describe("Redis", () => {
  it("syncs every write unless it is told otherwise, and asks for passwords and ACL users", async () => {
    const broker = await startRedis({ password: "s3cret word", users: ["app on >app-secret ~app:* +get +set"], config: ["maxmemory 50mb"] });
    onTestFinished(() => broker.stop());
    const access = { port: broker.port, password: "s3cret word" };
    assert.match(broker.url, /^redis:\/\/:s3cret%20word@127/);
    assert.match(await askRedis(access, ["INFO", "persistence"]), /aof_enabled:1/);
    await assert.rejects(askRedis({ port: broker.port }, ["PING"]), /NOAUTH/);
    const app = { port: broker.port, username: "app", password: "app-secret" };
    assert.equal(await askRedis(app, ["SET", "app:1", "x"]), "OK");
    await assert.rejects(askRedis(app, ["SET", "other", "x"]), /NOPERM/);
  });

  it("keeps what it confirmed through a kill", async () => {
    const broker = await startRedis({ isOwned: true });
    onTestFinished(() => broker.stop());
    await askRedis(broker, ["SET", "key", "value"]);
    await broker.kill();
    await broker.start();
    assert.equal(await askRedis(broker, ["GET", "key"]), "value");
  });

  it("speaks TLS with certificates of its own, to clients that show one", async () => {
    const broker = await startRedis({ tls: true, mutualTls: true });
    onTestFinished(() => broker.stop());
    assert.match(broker.url, /^rediss:/);
    assert.ok(broker.tls);
    assert.equal(await askRedis({ port: broker.port, tls: broker.tls }, ["PING"]), "PONG");
    await assert.rejects(askRedis({ port: broker.port }, ["PING"]));
  });
});

describe("NATS", () => {
  const connectAs = async (port: number, credentials: object, then: string): Promise<string> => {
    const line = await openLine(port);
    await line.read((bytes) => bytes.includes("\r\n"));
    line.write(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, ...credentials })}\r\n${then}PING\r\n`);
    const answer = await line.read((bytes) => /PONG|-ERR/.test(bytes.toString("latin1")));
    line.close();
    return answer.toString("latin1");
  };

  it("knows users, and what each may do", async () => {
    const users = [
      { user: "root", password: "r" },
      { user: "app", password: "a", permissions: { publish: ["app.>"], subscribe: ["app.>"] } },
    ];
    const broker = await startNats({ users });
    onTestFinished(() => broker.stop());
    assert.match(broker.url, /^nats:\/\/root:r@/);
    assert.match(await connectAs(broker.port, { user: "app", pass: "wrong" }, ""), /Authorization Violation/);
    assert.match(await connectAs(broker.port, { user: "app", pass: "a" }, "SUB app.x 1\r\n"), /PONG/);
    assert.match(await connectAs(broker.port, { user: "app", pass: "a" }, "SUB other 1\r\n"), /Permissions Violation/);
  });

  it("knows a token", async () => {
    const broker = await startNats({ token: "t0ken" });
    onTestFinished(() => broker.stop());
    assert.match(await connectAs(broker.port, { auth_token: "t0ken" }, ""), /PONG/);
    assert.match(await connectAs(broker.port, {}, ""), /-ERR/);
  });
});

describe("RabbitMQ", { timeout: 120_000 }, () => {
  it("has users with permissions, configuration, and a memory alarm that can be switched", async () => {
    const app = { name: "app", password: "app-secret", permissions: { configure: "^app", write: "^app", read: "^app" } };
    const broker = await startRabbitmq({ users: [app], config: ["heartbeat = 7"] });
    onTestFinished(() => broker.stop());
    assert.match(await broker.control("list_permissions"), /app\t\^app\t\^app\t\^app/);
    assert.match(await probeAmqp({ port: broker.port, user: "app", password: "app-secret", vhost: "/" }), /^\d+\.\d+/);
    await assert.rejects(probeAmqp({ port: broker.port, user: "app", password: "wrong", vhost: "/" }));
    await broker.setMemoryAlarm(true);
    assert.match(await broker.control("eval", "rabbit_alarm:get_alarms()."), /memory/);
    await broker.setMemoryAlarm(false);
    assert.doesNotMatch(await broker.control("eval", "rabbit_alarm:get_alarms()."), /memory/);
    assert.match(await broker.control("environment"), /heartbeat,7/);
  });
});
