import { createBus } from "@halyard/core";
import { isHalyardError } from "@halyard/core/spi";
import { type Broker, startNats } from "@halyard/testkit/brokers";
import { nkeys } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { type NatsOptions, nats } from "../src/index.ts";
import { configuredServer } from "./support/configured-server.ts";
import { operatorMode } from "./support/jwt.ts";

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Connects, and has one message go round. */
async function works(options: NatsOptions): Promise<void> {
  const bus = await createBus({ backend: nats(options), namespace: "sign-in", limits: { startTimeoutMs: 10_000 } });
  try {
    const handled = new Promise((resolve) => void bus.subscribe("a.#", { group: "g" }, ({ payload }) => resolve(payload)).then(() => bus.publish("a.b", 1)));
    expect(await handled).toBe(1);
  } finally {
    await bus.close();
  }
}

async function refusalOf(options: NatsOptions): Promise<unknown> {
  return createBus({ backend: nats(options), namespace: "sign-in", limits: { startTimeoutMs: 3_000, connectTimeoutMs: 2_000 } }).then(
    (bus) => bus.close(),
    (error: unknown) => error,
  );
}

async function broker(options: Parameters<typeof startNats>[0]): Promise<Broker> {
  const started = await startNats({ ...options, isOwned: true });
  stops.push(() => started.stop());
  return started;
}

const missing = { ca: "", clientCertificate: "", clientKey: "" };

async function server(config: string): Promise<number> {
  const started = await configuredServer(config);
  stops.push(() => started.stop());
  return started.port;
}

describe("signing in", { timeout: 60_000 }, () => {
  it("works with user and password, and with the wrong one it is AUTH_FAILED", async () => {
    const { port } = await broker({ users: [{ user: "me", password: "right" }] });
    await works({ url: `nats://me:right@127.0.0.1:${port}` });
    const error = await refusalOf({ url: `nats://me:wrong@127.0.0.1:${port}` });
    expect(isHalyardError(error, "AUTH_FAILED"), String(error)).toBe(true);
    expect(String(error)).not.toContain("wrong");
  });

  it("works with a token", async () => {
    const { port } = await broker({ token: "some-token" });
    await works({ url: `nats://127.0.0.1:${port}`, token: "some-token" });
    await works({ url: `nats://some-token@127.0.0.1:${port}` });
    const error = await refusalOf({ url: `nats://127.0.0.1:${port}`, token: "another" });
    expect(isHalyardError(error, "AUTH_FAILED"), String(error)).toBe(true);
  });

  it("works with the key of a user", async () => {
    const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
    const port = await server(`authorization { users: [{ nkey: ${user.getPublicKey()} }] }`);
    const seed = (key: typeof user): string => new TextDecoder().decode(key.getSeed());
    await works({ url: `nats://127.0.0.1:${port}`, nkey: seed(user) });
    const error = await refusalOf({ url: `nats://127.0.0.1:${port}`, nkey: seed(stranger) });
    expect(isHalyardError(error, "AUTH_FAILED"), String(error)).toBe(true);
    expect(String(error)).not.toContain(seed(stranger));
  });

  it("works with a credentials file", async () => {
    const { config, credentials } = operatorMode();
    const port = await server(config);
    await works({ url: `nats://127.0.0.1:${port}`, credentials });
    const error = await refusalOf({ url: `nats://127.0.0.1:${port}`, credentials: operatorMode().credentials });
    expect(isHalyardError(error, "AUTH_FAILED"), String(error)).toBe(true);
  });

  it("verifies the server's certificate", async () => {
    const { port, tls: { ca } = missing } = await broker({ tls: true });
    await works({ url: `tls://127.0.0.1:${port}`, tls: { ca } });
    const error = await refusalOf({ url: `tls://127.0.0.1:${port}` });
    expect(isHalyardError(error, "TLS_FAILED"), String(error)).toBe(true);
  });

  it("shows a certificate of its own where the server asks for one", async () => {
    const { port, tls: { ca, clientCertificate: cert, clientKey: key } = missing } = await broker({ tls: true, mutualTls: true });
    await works({ url: `tls://127.0.0.1:${port}`, tls: { ca, cert, key } });
    const error = await refusalOf({ url: `tls://127.0.0.1:${port}`, tls: { ca } });
    expect(isHalyardError(error, "TLS_FAILED") || isHalyardError(error, "CONNECT_FAILED"), String(error)).toBe(true);
  });

  it("says what is missing where the server has no JetStream", async () => {
    const { port } = await broker({ jetstream: false });
    const error = await refusalOf({ url: `nats://127.0.0.1:${port}`, requestTimeoutMs: 500 });
    expect(isHalyardError(error, "CONNECT_FAILED"), String(error)).toBe(true);
    expect(String(error)).toMatch(/JetStream/);
  });
});
