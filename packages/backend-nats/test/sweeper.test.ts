import { type Broker, startNats } from "@halyard/testkit/brokers";
import { AckPolicy, DeliverPolicy, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { JetStreamApi } from "../src/jetstream-api.ts";
import { topologyOf } from "../src/names.ts";
import { lowestOf, Sweeper } from "../src/sweeper.ts";

const topology = topologyOf("shop");

let broker: Broker;
let connection: NatsConnection;
let manager: JetStreamManager;
let sweeper: Sweeper;

beforeAll(async () => {
  broker = await startNats({ isOwned: true });
  connection = await connect({ servers: broker.url, reconnect: false });
  manager = await jetstreamManager(connection);
  const api = await JetStreamApi.open(connection, { timeoutMs: 5_000, domain: undefined });
  const clock = { nowMs: () => 0, monotonicMs: () => 0, after: () => () => undefined };
  sweeper = new Sweeper({ api, clock, topology, random: () => 0, warn: (error) => expect.fail(String(error)) });
});

afterAll(async () => {
  await connection.close();
  await broker.stop();
});

beforeEach(async () => {
  await manager.streams.delete("shop").catch(() => false); // there is none before the first test
  await manager.streams.add({ name: "shop", subjects: ["shop.>"] });
});

const group = (name: string, filter: string) =>
  manager.consumers.add("shop", { durable_name: name, filter_subject: filter, ack_policy: AckPolicy.Explicit, deliver_policy: DeliverPolicy.New });

const publish = async (...subjects: readonly string[]): Promise<void> => {
  for (const subject of subjects) await jetstream(connection).publish(subject, subject);
};

/** Takes `count` and acks all but those at the given places. */
async function handle(name: string, count: number, exceptFor: readonly number[] = []): Promise<void> {
  const consumer = await jetstream(connection).consumers.get("shop", name);
  const messages = await consumer.fetch({ max_messages: count, expires: 2_000 });
  let place = 0;
  for await (const message of messages) if (!exceptFor.includes(place++)) await message.ackAck();
}

async function stored(): Promise<Readonly<Record<string, number>>> {
  const { state } = await manager.streams.info("shop", { subjects_filter: ">" });
  return state.subjects ?? {};
}

test("what nobody is to handle goes, what somebody has still to handle stays", async () => {
  await publish("shop.a");
  expect(await sweeper.sweep()).toBe(false);
  expect(await stored()).toEqual({});
  await group("g", "shop.a");
  await publish("shop.a", "shop.a", "shop.b");
  expect(await sweeper.sweep()).toBe(true);
  expect(await stored()).toEqual({ "shop.a": 2 });
  await handle("g", 2);
  expect(await sweeper.sweep()).toBe(false);
  expect(await stored()).toEqual({});
});

test("what is in the hands of a member stays, and all above it on its topic", async () => {
  await group("g", "shop.a");
  await publish("shop.a", "shop.a", "shop.a");
  await handle("g", 3, [1]);
  await sweeper.sweep();
  expect(await stored()).toEqual({ "shop.a": 2 });
});

test("a group that is behind keeps nothing but what is its own to handle", async () => {
  await group("quick", "shop.>");
  await group("slow", "shop.rare.*");
  await publish("shop.rare.one", "shop.often", "shop.often", "shop.rare.two", "shop.often");
  await handle("quick", 5);
  await sweeper.sweep();
  expect(await stored()).toEqual({ "shop.rare.one": 1, "shop.rare.two": 1 });
  await group("new", "shop.>");
  await publish("shop.often");
  await handle("slow", 2);
  await sweeper.sweep();
  expect(await stored()).toEqual({ "shop.often": 1 });
});

test("a group that takes more topics than those that are swept keeps what is in its members' hands and what is still to come", async () => {
  await group("wide", "shop.>");
  await manager.consumers.update("shop", "wide", { ack_wait: 500 * 1e6 });
  await group("slow", "shop.rare.*");
  await publish("shop.rare.one", "shop.often", "shop.held", "shop.often", "shop.to-come");
  await handle("wide", 3, [2]); // the third is in the hands of a member that dies; what comes after it has not been handed out
  await sweeper.sweep();
  expect(await stored()).toEqual({ "shop.rare.one": 1, "shop.held": 1, "shop.often": 1, "shop.to-come": 1 });
  const again: string[] = [];
  const consumer = await jetstream(connection).consumers.get("shop", "wide");
  const messages = await consumer.fetch({ max_messages: 3, expires: 2_000 });
  for await (const message of messages) again.push(message.subject);
  expect(again.sort()).toEqual(["shop.held", "shop.often", "shop.to-come"]);
});

test("a group without members, and one that never got anything, keep their messages", async () => {
  await group("away", "shop.*");
  await publish("shop.a", "shop.b");
  await sweeper.sweep();
  expect(await stored()).toEqual({ "shop.a": 1, "shop.b": 1 });
});

test("a stream that is not there is nothing to sweep", async () => {
  await manager.streams.delete("shop");
  expect(await sweeper.sweep()).toBe(false);
});

test("floors count for the topics that they are about", () => {
  const floors = [
    { filter: ["a", "*"], floor: 3 },
    { filter: [">"], floor: 7 },
  ];
  expect(lowestOf(floors, 9)).toBe(3);
  expect(lowestOf(floors, 9, ["a", "b"])).toBe(3);
  expect(lowestOf(floors, 9, ["b"])).toBe(7);
  expect(lowestOf([], 9, ["b"])).toBe(9);
});
