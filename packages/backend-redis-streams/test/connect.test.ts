import { inspect } from "node:util";
import { isHalyardError, parsePattern, systemClock } from "@halyard/core/spi";
import { faultProxy } from "@halyard/testkit";
import { startRedis } from "@halyard/testkit/brokers";
import { Redis } from "ioredis";
import { expect, it } from "vitest";
import { redisStreams } from "../src/index.ts";
import { join, message, never, publish, redisFixture, take } from "./redis-fixture.ts";

const redis = redisFixture();
const host = { namespace: "connect", clientName: "client", clock: systemClock, random: Math.random, report: () => undefined };

it("speaks TLS to a server whose certificate it can verify, and to no other", async () => {
  await using broker = await startRedis({ tls: true, mutualTls: true });
  const { ca, clientCertificate, clientKey } = broker.tls as NonNullable<typeof broker.tls>; // asked for above
  const session = await redisStreams({ url: broker.url, tls: { ca, cert: clientCertificate, key: clientKey } }).connect(host, never);
  const member = await join(session, "g", "a.#");
  await publish(session, [message("a.b", "m")]);
  await take(member, 1);
  await session.close();
  for (const tls of [true, { ca }] as const)
    await expect(redisStreams({ url: broker.url, tls }).connect(host, never)).rejects.toSatisfy((error) => isHalyardError(error, "TLS_FAILED"));
});

it("says that a server without TLS was asked for TLS", async () => {
  const { broker } = redis.begin();
  const connecting = redisStreams({ port: broker.port, tls: true, commandTimeoutMs: 1_000 }).connect(host, never);
  await expect(connecting).rejects.toSatisfy((error) => isHalyardError(error, "TLS_FAILED") || isHalyardError(error, "CONNECT_FAILED"));
});

it("leaves no timer behind where nobody listens: the process may end", async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  for (let attempt = 0; attempt < 3; attempt++) await expect(redisStreams("redis://127.0.0.1:1").connect(host, never)).rejects.toThrow("cannot be reached");
  expect(timers()).toBeLessThanOrEqual(before);
});

it("says why it cannot connect, without the password", async () => {
  const cases: readonly (readonly [url: string, code: string])[] = [
    ["redis://user:hidden-word@127.0.0.1:1", "CONNECT_FAILED"],
    [`redis://user:hidden-word@127.0.0.1:${redis.begin().broker.port}`, "AUTH_FAILED"],
  ];
  for (const [url, code] of cases) {
    const error: unknown = await redisStreams(url)
      .connect(host, never)
      .catch((thrown: unknown) => thrown);
    expect(isHalyardError(error) && error.code).toBe(code);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("hidden-word");
  }
});

it("gives up at once when it is told to, and in time when nobody answers, and leaves no socket", async () => {
  const { broker } = redis.begin();
  const proxy = await faultProxy({ target: { port: broker.port } });
  proxy.stall();
  const controller = new AbortController();
  const aborted = redisStreams({ port: proxy.port }).connect(host, controller.signal);
  setTimeout(() => controller.abort(), 50);
  await expect(aborted).rejects.toSatisfy((error) => isHalyardError(error, "ABORTED"));
  const late = redisStreams({ port: proxy.port, commandTimeoutMs: 200 }).connect(host, never);
  await expect(late).rejects.toSatisfy((error) => isHalyardError(error, "CONNECT_FAILED"));
  proxy.heal(); // what was held up may end now
  await expect.poll(() => proxy.connections).toBe(0);
  await proxy.close();
});

it("uses the address and credentials of a client that was handed in, and leaves it alone", async () => {
  const { broker, namespace, key } = redis.begin();
  const given = new Redis(broker.port, { keyPrefix: "theirs:", maxRetriesPerRequest: null, lazyConnect: true });
  await given.connect();
  const session = await redisStreams({ client: given }).connect({ ...host, namespace }, never);
  const member = await join(session, "g", "a.#");
  await publish(session, [message("a.b", "m")]);
  await take(member, 1);
  await session.close();
  expect(await given.set("mine", "1")).toBe("OK");
  expect(await redis.begin().redis.exists(key("group:g"), "theirs:mine")).toBe(2);
  given.disconnect();
});

it("puts a prefix before every key and channel, and other names where they are wanted", async () => {
  const { open, redis: beside, namespace } = redis.begin();
  const { session } = await open({ keyPrefix: "app:", names: { group: "queue:", consumerGroup: "workers", dead: "letters:" } });
  const member = await join(session, "g", "a.#");
  await publish(session, [message("a.b", "m")]);
  await take(member, 1);
  await session.publish([message("a.b", "letter")], { signal: never, target: { deadLetters: "g" } });
  expect(await beside.exists(`app:{${namespace}}:queue:g`, `app:{${namespace}}:letters:g`)).toBe(2);
  expect(String(await beside.call("XINFO", "GROUPS", `app:{${namespace}}:queue:g`))).toContain("workers");
  expect(await beside.keys(`{${namespace}}*`)).toEqual([]);
});

it("warns of what endangers the promises, and calls nothing durable that is not", async () => {
  await using broker = await startRedis({ appendonly: "no", config: ["maxmemory-policy allkeys-lru"] });
  const session = await redisStreams(broker.url).connect(host, never);
  expect(session.capabilities.durable).toBe(false);
  expect((await session.admin.warnings(never)).map((text) => text.split(" ")[0])).toEqual(["maxmemory-policy", "appendonly"]);
  await session.close();
});

it("keeps groups of two databases apart, but not live copies: pub-sub knows no databases", async () => {
  const { open, redis: beside, key } = redis.begin();
  const [first, second] = [(await open({ db: 1 })).session, (await open({ db: 2 })).session];
  const members = [await join(first, "g", "a.#"), await join(second, "g", "a.#")] as const;
  const live = await first.subscribe({ patterns: [parsePattern("a.#")], inFlightMax: 10 }, never);
  await publish(second, [message("a.b", "two")]);
  await publish(first, [message("a.b", "one")]);
  expect((await take(members[0], 1)).map((delivery) => delivery.message.id)).toEqual(["one"]);
  expect((await take(members[1], 1)).map((delivery) => delivery.message.id)).toEqual(["two"]);
  expect((await take(live, 2)).map((delivery) => delivery.message.id)).toEqual(["two", "one"]);
  expect(await first.admin.group("g", never)).toMatchObject({ inFlight: 1, waiting: 0 });
  expect(await beside.keys(key("*"))).toEqual([]); // of database 0
});

it("writes to its own database also after the connection broke in mid-publish", async () => {
  const { open, backend, broker, redis: beside, key } = redis.begin();
  const proxy = await faultProxy({ target: { port: broker.port } });
  const own = backend({ db: 3 }, proxy);
  for (let round = 0; round < 5; round++) {
    const { session } = await open({}, { backend: own });
    await session.admin.defineGroup("g", { add: [parsePattern("a.#")], drop: [] }, never);
    const publishing = Promise.all(Array.from({ length: 20 }, (_, index) => session.publish([message("a.b", `m${round}-${index}`)], { signal: never })));
    publishing.catch(() => undefined); // broken on purpose
    proxy.reset();
    expect(await session.closed).toBeInstanceOf(Error);
    proxy.heal();
  }
  expect(await beside.keys(key("*"))).toEqual([]);
  await proxy.close();
});

it("puts back into its own buffer what a live subscription released, and moves nothing", async () => {
  const { open } = redis.begin();
  const { session } = await open();
  const patterns = [parsePattern("a.#")];
  const live = await session.subscribe({ patterns, inFlightMax: 10 }, never);
  const other = await session.subscribe({ patterns, inFlightMax: 10 }, never);
  await publish(session, [message("a.b", "m")]);
  const [delivery] = await take(live, 1);
  await take(other, 1);
  const copy = message("a.b", "m", { attempt: 2 });
  const move = { receipt: delivery?.receipt, outcome: { type: "move", to: "inbox", message: copy, delayMs: 0 } } as const;
  expect(await live.settle([move])).toEqual(["failed"]);
  expect(await live.settle([{ receipt: delivery?.receipt, outcome: { type: "release" } }])).toBeUndefined();
  const [again] = await take(live, 1);
  expect(again).toMatchObject({ deliveries: 2, message: { id: "m", attempt: 1 } });
  expect(await live.settle([{ receipt: delivery?.receipt, outcome: { type: "ack" } }])).toEqual(["stale"]);
  expect(await other.receive(1, AbortSignal.timeout(50))).toEqual([]); // it was this subscription's own
});
