/** What sentinels and nodes of a cluster say is as good as the certificate of whom they name. */
import { type Backend, isHalyardError, systemClock } from "@halyard/core/spi";
import { type Broker, type BrokerTls, startRedis } from "@halyard/testkit/brokers";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RedisStreamsOptions, redisStreams } from "../src/index.ts";
import { type FalseNode, falseNode } from "./false-node.ts";
import { never } from "./redis-fixture.ts";

const timeout = 60_000;
const host = { namespace: "sentinels", clientName: "client", clock: systemClock, random: Math.random, report: () => undefined };
/** Of two authorities, and one without TLS. */
let one: Broker & { readonly tls: BrokerTls };
let other: Broker & { readonly tls: BrokerTls };
let plain: Broker;

beforeAll(async () => {
  [one, other, plain] = (await Promise.all([startRedis({ tls: true }), startRedis({ tls: true }), startRedis({ isOwned: true })])) as [
    typeof one,
    typeof other,
    Broker,
  ]; // with `tls` where it was asked for
}, timeout);
afterAll(() => Promise.all([one, other, plain].map((broker) => broker?.stop())));

async function codeOf(backend: Backend): Promise<string> {
  try {
    const session = await backend.connect(host, never);
    await session.close();
    return "connected";
  } catch (error) {
    return isHalyardError(error) ? error.code : String(error);
  }
}

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Two that say where to go on, each under the authority of `one`. */
const ways: readonly (readonly [name: string, start: (place: Place) => Promise<FalseNode>, options: (node: Place) => RedisStreamsOptions])[] = [
  [
    "a sentinel",
    (place) => falseNode(one.tls, { SENTINEL: `*2\r\n$${place.host.length}\r\n${place.host}\r\n$${String(place.port).length}\r\n${place.port}` }),
    ({ host, port }) => ({ sentinels: [{ host, port }], name: "main" }),
  ],
  [
    "a node of a cluster",
    (place) => falseNode(one.tls, { EXISTS: `-MOVED 1 ${place.host}:${place.port}` }),
    ({ host, port }) => ({ cluster: [{ host, port }] }),
  ],
];

it.each(ways)("verifies whom %s names", { timeout }, async (_, start, optionsOf) => {
  await using toOther = await start(other);
  await using toPlain = await start(plain);
  const ca = [one.tls.ca];
  expect(await codeOf(redisStreams({ ...optionsOf(toOther), tls: { ca: [...ca, other.tls.ca] } }))).toBe("connected");
  expect(await codeOf(redisStreams({ ...optionsOf(toOther), tls: { ca } }))).toBe("TLS_FAILED");
  expect(await codeOf(redisStreams({ ...optionsOf(toPlain), tls: { ca }, commandTimeoutMs: 300 }))).toMatch(/^(TLS|CONNECT)_FAILED$/);
});

it("reaches whom they name by the address that a client's natMap has for it", { timeout }, async () => {
  const inside = { host: "192.0.2.1", port: 6379 };
  const natMap = { "192.0.2.1:6379": { host: one.host, port: one.port } };
  const tls = { ca: one.tls.ca };
  const [[, startSentinel], [, startNode]] = ways as [(typeof ways)[number], (typeof ways)[number]]; // both are there
  await using sentinel = await startSentinel(inside);
  await using node = await startNode(inside);
  const { host, port } = sentinel;
  const secure = { tls, sentinelTLS: tls, enableTLSForSentinelMode: true };
  expect(await codeOf(redisStreams({ client: new Redis({ sentinels: [{ host, port }], name: "main", natMap, ...secure, lazyConnect: true }) }))).toBe(
    "connected",
  );
  const given = new Redis.Cluster([], { natMap: (key) => natMap[key as keyof typeof natMap] ?? null, lazyConnect: true });
  given.nodes = () => [new Redis({ host: node.host, port: node.port, tls, lazyConnect: true })];
  expect(await codeOf(redisStreams({ client: given }))).toBe("connected");
});
