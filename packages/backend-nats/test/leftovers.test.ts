/** On a server that is killed: what a 2.9 server forgets then to have deleted. Later versions may leave nothing; then there is nothing to see here. */
import { createBus } from "@halyard/core";
import { type Broker, startNats } from "@halyard/testkit/brokers";
import { AckPolicy, type JetStreamManager, type JsMsg, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, headers as createHeaders, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { deleteOneByOne } from "../src/delete-one-by-one.ts";
import { nats } from "../src/index.ts";
import { JetStreamApi } from "../src/jetstream-api.ts";
import { Leftovers } from "../src/leftovers.ts";
import { topologyOf } from "../src/names.ts";
import { settingsOf } from "../src/options.ts";
import { Publisher } from "../src/publisher.ts";
import { wantedStreams } from "../src/streams.ts";

const topology = topologyOf("shop");
const inbox = topology.inbox;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let broker: Broker;
let connection: NatsConnection;
let manager: JetStreamManager;
let api: JetStreamApi;
let leftovers: Leftovers;

async function reach(): Promise<void> {
  connection = await connect({ servers: broker.url, reconnect: false });
  manager = await jetstreamManager(connection);
  api = await JetStreamApi.open(connection, { timeoutMs: 5_000, domain: undefined });
  const clock = { nowMs: () => 0, monotonicMs: () => 0, after: () => () => undefined };
  const publisher = new Publisher({ connection, clock, confirmTimeoutMs: 5_000, inboxPrefix: "_INBOX", onMissingStream: () => expect.fail("no stream") });
  const serverClock = { nowMs: () => Date.now() };
  leftovers = new Leftovers({ api, clock, publisher, serverClock, topology, random: () => 0, warn: (error) => expect.fail(String(error)) });
}

/** Once acks are written down, and deletions not yet. */
async function killInBetween(): Promise<void> {
  await pause(500);
  await broker.kill();
  await connection.close();
  await broker.start();
  await reach();
}

beforeEach(async () => {
  broker = await startNats({ isOwned: true });
  await reach();
});

afterEach(async () => {
  await connection.close();
  await broker.stop();
});

const consume = (name: string, subject: string, options: object = {}) =>
  manager.consumers.add(inbox, { durable_name: name, filter_subject: `${inbox}.${subject}`, ack_policy: AckPolicy.Explicit, ack_wait: 1e9, ...options });

/** Messages whose text is their number. */
async function store(subject: string, from: number, to: number): Promise<void> {
  for (let number = from; number <= to; number++) await jetstream(connection).publish(`${inbox}.${subject}`, String(number));
}

/** Takes up to `max`, and acks what is wanted. Returns the numbers, least first. */
async function take(name: string, max: number, isAcked: (number: number) => boolean = () => true): Promise<readonly number[]> {
  const consumer = await jetstream(connection).consumers.get(inbox, name);
  const numbers: number[] = [];
  for await (const message of await consumer.fetch({ max_messages: max, expires: 3_000 })) {
    const number = Number(message.string());
    numbers.push(number);
    if (isAcked(number)) await message.ackAck();
  }
  return numbers.sort((one, other) => one - other);
}

async function stored(): Promise<Readonly<Record<string, number>>> {
  const { state } = await manager.streams.info(inbox, { subjects_filter: ">" });
  return Object.fromEntries(Object.entries(state.subjects ?? {}).map(([subject, count]) => [subject.slice(inbox.length + 1), count]));
}

/** Deletions are written down at moments of the server's own choice, so it may take more than one kill. */
async function leaveBehind(settle: () => Promise<void>): Promise<void> {
  for (let kills = 0; kills < 8; kills++) {
    await settle();
    await killInBetween();
    const { "wait.3.g": waiting = 0, "wait.1.g": retried = 0 } = await stored();
    if (waiting + retried > 20 || !broker.version.startsWith("2.9.")) return;
  }
  expect.fail("The server left nothing behind in eight kills.");
}

async function makeInbox(): Promise<void> {
  await manager.streams.delete(inbox).catch(() => false); // there is none at first
  await pause(1_000); // what is made again at once may lose its files
  await manager.streams.add(wantedStreams(topology, settingsOf({})).inbox);
}

test("what was settled before the server was killed goes; what waits, or is in somebody's hands, stays", { timeout: 90_000 }, async () => {
  await leaveBehind(async () => {
    await makeInbox();
    await store("group.g", 0, 0);
    await consume("wait+3", "wait.3.*");
    await consume("g", "ready.g");
    await store("wait.3.g", 0, 99);
    await store("wait.3.h", 100, 102);
    await store("ready.g", 0, 101);
    await take("wait+3", 100, (number) => number !== 90);
    await take("g", 100);
  });
  await leftovers.remove();
  expect(await stored()).toMatchObject({ "group.g": 1, "wait.3.h": 3, "ready.g": 2 });
  expect(await take("g", 2)).toEqual([100, 101]);
  expect(await take("wait+3", 4)).toEqual([90, 100, 101, 102]);
  await leftovers.remove(); // what lay above the one that was held
  expect(await stored()).toEqual({ "group.g": 1 });
  expect(await leftovers.remove()).toBe(0);
});

/** Stores three, and acks the last and then the first: a 2.9 server does not find the one between them any more. */
async function hideTheSecond(): Promise<void> {
  for (const number of [1, 2, 3]) {
    const headers = createHeaders();
    headers.set("halyard-delay", "60000");
    headers.set("Nats-Msg-Id", `m${number}`);
    await jetstream(connection).publish(`${inbox}.ready.g`, String(number), { headers });
  }
  await consume("g", "ready.g");
  const messages: JsMsg[] = [];
  for await (const message of await (await jetstream(connection).consumers.get(inbox, "g")).fetch({ max_messages: 3, expires: 3_000 })) messages.push(message);
  for (const number of [3, 1]) await messages.find((message) => message.string() === String(number))?.ackAck();
}

test("what a consumer that begins anew does not see is handed out again, and what is in hand is not", { timeout: 60_000 }, async () => {
  await makeInbox();
  await hideTheSecond();
  await manager.consumers.delete(inbox, "g");
  await consume("g", "ready.g");
  await store("ready.h", 7, 7);
  await consume("h", "ready.h", { ack_wait: 60e9 });
  await take("h", 1, () => false);
  const seen = await take("g", 1);
  if (!broker.version.startsWith("2.9.")) return; // later ones may see it
  expect(seen).toEqual([]);
  expect([await leftovers.remove(), await leftovers.remove(), await leftovers.remove()]).toEqual([0, 1, 0]); // it might have been on its way
  const restMs = Number((await api.nextOn(inbox, `${inbox}.ready.g`, 1))?.headers.get("halyard-delay"));
  expect(restMs).toBeGreaterThan(0);
  expect(restMs).toBeLessThan(60_000);
  expect(await take("g", 1)).toEqual([2]);
  expect(await stored()).toEqual({ "ready.h": 1 });
});

test("a consumer that gave messages up says nothing about them", { timeout: 60_000 }, async () => {
  await makeInbox();
  await consume("impatient", "ready.impatient", { max_deliver: 1 });
  await store("ready.impatient", 1, 1);
  await take("impatient", 1, () => false);
  await pause(1_500); // the server gives it up
  await leftovers.remove();
  expect(await stored()).toEqual({ "ready.impatient": 1 });
});

test("what was stored after the look at the consumers stays, whatever its number", { timeout: 60_000 }, async () => {
  await makeInbox();
  await store("ready.g", 1, 2);
  await pause(20);
  const storedMsMax = Date.now();
  await pause(20);
  await store("ready.g", 3, 4);
  expect(await deleteOneByOne(api, inbox, { subject: `${inbox}.ready.*`, after: 0, upTo: 100, storedMsMax, countMax: 100 })).toBe(2);
  expect(await stored()).toEqual({ "ready.g": 2 });
});

test("a bus counts nothing as delayed for ever, and hands nothing over again", { timeout: 120_000 }, async () => {
  const bus = await createBus({
    backend: nats({ url: broker.url, pingIntervalMs: 500, confirmTimeoutMs: 1_000 }),
    namespace: "shop",
    retry: { delayMs: 300, factor: 1, jitter: 0, attemptsMax: 2 },
  });
  try {
    const handled: string[] = [];
    await bus.subscribe("a.b", { group: "g", inFlightMax: 100 }, ({ id }, { attempt }) => {
      if (attempt === 1) throw new Error("not yet");
      handled.push(id);
    });
    let count = 0;
    const delayed = async (): Promise<number | undefined> => (await bus.groups.get("g").catch(() => undefined))?.delayed; // not while the server is down
    await leaveBehind(async () => {
      for (let index = 0; index < 200; index++) await bus.publish("a.b", index);
      count += 200;
      await until(async () => handled.length >= count && (await delayed()) === 0);
    });
    await until(async () => (await delayed()) === 0);
    const subjects = Object.keys(await stored());
    expect(subjects.filter((subject) => /^(wait|ready)/.test(subject))).toEqual([]);
    expect([handled.length, new Set(handled).size]).toEqual([count, count]);
  } finally {
    await bus.close({ timeoutMs: 500 });
  }
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 45_000;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error("not within 45 s");
    await pause(50);
  }
}
