/** Options of which only a server can tell whether they do what they say. */
import { type Bus, createBus } from "@halyard/core";
import { type Host, systemClock } from "@halyard/core/spi";
import { type Broker, startNats } from "@halyard/testkit/brokers";
import { type JetStreamManager, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect, type NatsConnection, usernamePasswordAuthenticator } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type NatsOptions, nats } from "../src/index.ts";
import { configuredServer } from "./support/configured-server.ts";

let broker: Broker;
let connection: NatsConnection;
let manager: JetStreamManager;
let spaces = 0;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  broker = await startNats({ users: [{ user: "me", password: "secret-4c" }], isOwned: true });
  connection = await connect({ servers: `127.0.0.1:${broker.port}`, user: "me", pass: "secret-4c" });
  manager = await jetstreamManager(connection);
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

afterAll(async () => {
  await connection?.close();
  await broker?.stop();
});

const space = (): string => `option-${++spaces}`;

async function busOn(namespace: string, options: NatsOptions): Promise<Bus> {
  const bus = await createBus({ backend: nats({ url: broker.url, ...options }), namespace, limits: { publishTimeoutMs: 1_000 } });
  closing.push(() => bus.close({ timeoutMs: 500 }));
  return bus;
}

/** Has a message go round, with one retry. */
async function works(bus: Bus): Promise<void> {
  let open: (payload: unknown) => void = () => undefined;
  const handled = new Promise((resolve) => {
    open = resolve;
  });
  await bus.subscribe("a.#", { group: "g", retry: { delayMs: 10 } }, ({ payload }, { attempt }) => {
    if (attempt === 1) throw new Error("once");
    open(payload);
  });
  await bus.publish("a.b", 1);
  expect(await handled).toBe(1);
}

describe("an option", { timeout: 60_000 }, () => {
  it("domain: all goes through the API of that domain", async () => {
    const { port, stop } = await configuredServer("", "domain: hub");
    closing.push(stop);
    const bus = await createBus({ backend: nats({ url: `nats://127.0.0.1:${port}`, domain: "hub" }), namespace: space() });
    try {
      await works(bus);
    } finally {
      await bus.close();
    }
    const other = createBus({
      backend: nats({ url: `nats://127.0.0.1:${port}`, domain: "other", requestTimeoutMs: 500 }),
      namespace: space(),
      limits: { startTimeoutMs: 2_000 },
    });
    await expect(other).rejects.toMatchObject({ code: "CONNECT_FAILED" });
  });

  it('stream.storage "memory": no stream is on disk, and the bus says that it is not durable', async () => {
    const namespace = space();
    const bus = await busOn(namespace, { stream: { storage: "memory" } });
    await works(bus);
    for (const stream of [namespace, `${namespace}_inbox`, `${namespace}_dead`])
      expect((await manager.streams.info(stream)).config.storage).toBe(StorageType.Memory);
    const host: Host = { namespace, clientName: "test", clock: systemClock, random: Math.random, report: () => undefined };
    const session = await nats({ url: broker.url }).connect(host, new AbortController().signal);
    expect(session.capabilities.durable).toBe(false);
    await session.close();
  });

  for (const [name, stream] of [
    ["maxMessages", { maxMessages: 3 }],
    ["maxBytes", { maxBytes: 1_000 }],
  ] as const) {
    it(`stream.${name}: a publish beyond it is held back and then refused, and what waits is kept`, async () => {
      const bus = await busOn(space(), { stream });
      await bus.groups.define("g", { add: ["a.#"] });
      let stored = 0;
      const filling = (async () => {
        for (; stored < 20; stored++) await bus.publish("a.b", stored);
      })();
      await expect(filling).rejects.toMatchObject({ code: expect.stringMatching(/BACKPRESSURE|TIMEOUT/) });
      expect(stored).toBeGreaterThan(1);
      expect((await bus.groups.get("g"))?.waiting).toBe(stored);
    });
  }

  it("names: streams and subjects are called so", async () => {
    const namespace = space();
    const called = (end: string) => (given: string) => `${given}-${end}`;
    const bus = await busOn(namespace, { names: { stream: called("events"), inbox: called("in"), dead: called("bad"), subjectPrefix: "org" } });
    await works(bus);
    for (const end of ["events", "in", "bad"]) {
      const { config } = await manager.streams.info(`${namespace}-${end}`);
      expect(config.subjects).toEqual([`org.${namespace}-${end}.>`]);
    }
    await expect(manager.streams.info(namespace)).rejects.toThrow();
  });

  it("authenticator: the client's own way to sign in, alone or in a list", async () => {
    const url = `nats://127.0.0.1:${broker.port}`;
    const authenticator = usernamePasswordAuthenticator("me", "secret-4c");
    await works(await busOn(space(), { url, authenticator }));
    await works(await busOn(space(), { url, authenticator: [authenticator] }));
    const wrong = busOn(space(), { url, authenticator: usernamePasswordAuthenticator("me", "wrong") });
    await expect(wrong).rejects.toMatchObject({ code: "AUTH_FAILED" });
  });
});
