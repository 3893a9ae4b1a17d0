import { createBus } from "@halyard/core";
import { isHalyardError } from "@halyard/core/spi";
import { faultProxy } from "@halyard/testkit";
import { expect, it } from "vitest";
import { ack, idsOf, join, message, never, publish, redisFixture, take, until } from "./redis-fixture.ts";

const redis = redisFixture();

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const refusals = (statuses: Awaited<ReturnType<Awaited<ReturnType<ReturnType<typeof redis.begin>["open"]>>["session"]["publish"]>>): string[] =>
  (statuses ?? []).map((status) => (status.status === "accepted" ? "accepted" : isHalyardError(status.error) ? status.error.code : "?"));

it("stores each message once although a hundred replies are lost", async () => {
  const { broker, backend, namespace, redis: beside, key } = redis.begin();
  const proxy = await faultProxy({ target: { port: broker.port } });
  const bus = await createBus({ backend: backend({ commandTimeoutMs: 500 }, proxy), namespace, limits: { publishTimeoutMs: 20_000 } });
  await bus.groups.define("g", { add: ["a.#"] });
  let opens = 0;
  bus.on("connection-open", () => void opens++);
  for (const index of numbers(100)) {
    proxy.loseReplies();
    await bus.publish("a.b", index);
  }
  expect(opens).toBeGreaterThan(90);
  expect(await beside.xlen(key("group:g"))).toBe(100);
  await bus.close();
  await proxy.close();
}, 60_000);

it("goes on after SCRIPT FLUSH, in order", async () => {
  const { open, redis: beside } = redis.begin();
  const { session } = await open();
  const member = await join(session, "g", "a.#", 200);
  for (const round of numbers(5)) {
    await beside.script("FLUSH");
    await Promise.all(numbers(20).map((index) => publish(session, [message("a.b", `m${round * 20 + index}`)])));
    const taken = await take(member, 20);
    expect(idsOf(taken)).toEqual(numbers(20).map((index) => `m${round * 20 + index}`));
    expect(await ack(member, taken)).toBeUndefined();
  }
});

it("refuses what a full group has no room for, with all that follows in the batch, and no other group gets it", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open({ groupMessagesMax: 3 });
  for (const group of ["narrow", "other"]) await session.admin.defineGroup(group, { add: [], drop: [] }, never);
  const member = await join(session, "narrow", "a.#", 10);
  await join(session, "other", "#", 1);
  const statuses = await session.publish([...numbers(5).map((index) => message("a.b", `m${index}`)), message("z", "free")], { signal: never });
  expect(refusals(statuses)).toEqual(["accepted", "accepted", "accepted", "BACKPRESSURE", "BACKPRESSURE", "BACKPRESSURE"]);
  expect(await beside.xlen(key("group:other"))).toBe(3);
  await ack(member, await take(member, 3));
  const sent = await session.publish([message("any", "direct")], { signal: never, target: { group: "narrow" } });
  expect(refusals(sent)).toEqual([]);
});

it("refuses publishes while memory is full and says so, while consumers ack, retry and dead-letter", async () => {
  const { open, redis: beside } = redis.begin();
  const { session, events } = await open();
  const member = await join(session, "g", "a.#", 10);
  await publish(
    session,
    numbers(4).map((index) => message("a.b", `m${index}`)),
  );
  const taken = await take(member, 4);
  await beside.config("SET", "maxmemory", "1");
  try {
    expect(refusals(await session.publish([message("a.b", "refused")], { signal: never }))).toEqual(["BACKPRESSURE"]);
    await expect(session.admin.ping(never)).rejects.toSatisfy((error) => isHalyardError(error, "BACKPRESSURE"));
    expect(events.map(({ type }) => type)).toEqual(["blocked"]);
    const [acked, retried, delayed, dead] = taken.map(({ receipt, message: original }) => ({ receipt, original }));
    const move = (to: "inbox" | "dead-letters", one: typeof acked, delayMs: number) => ({
      receipt: one?.receipt,
      outcome: { type: "move", to, message: { ...message("a.b", "moved"), ...one?.original, attempt: 2 }, delayMs } as const,
    });
    const statuses = await member.settle([
      { receipt: acked?.receipt, outcome: { type: "ack" } },
      move("inbox", retried, 0),
      move("inbox", delayed, 100),
      move("dead-letters", dead, 0),
    ]);
    expect(statuses).toBeUndefined();
    expect((await take(member, 2)).map(({ message: { id, attempt } }) => `${id} ${attempt}`)).toEqual(["m1 2", "m2 2"]);
    expect(await session.deadLetters.count("g", never)).toBe(1);
    const late = await join((await open()).session, "g", "a.#", 10);
    await late.close();
  } finally {
    await beside.config("SET", "maxmemory", "0");
  }
  await publish(session, [message("a.b", "refused")]);
  expect(events.map(({ type }) => type)).toEqual(["blocked", "unblocked"]);
});

it("ends the session where the server has become a replica", async () => {
  const { open, redis: beside, broker } = redis.begin();
  const { session } = await open();
  await session.admin.defineGroup("g", { add: [], drop: [] }, never);
  await beside.config("SET", "replica-serve-stale-data", "yes");
  await beside.call("REPLICAOF", "127.0.0.1", "1");
  try {
    await expect(session.publish([message("a.b", "m")], { signal: never })).rejects.toSatisfy((error) => isHalyardError(error, "CONNECTION_LOST"));
    expect(isHalyardError(await session.closed, "CONNECTION_LOST")).toBe(true);
    await expect(open()).rejects.toSatisfy((error) => isHalyardError(error, "CONNECT_FAILED") && error.message.includes("replica"));
  } finally {
    await beside.call("REPLICAOF", "NO", "ONE");
  }
  expect(broker.isOwned).toBe(true);
  expect((await open()).session.capabilities.durable).toBe(true);
});

it("says that an id was used for another body", async () => {
  const { open } = redis.begin();
  const { session } = await open();
  await publish(session, [message("a.b", "same")]);
  const statuses = await session.publish([message("a.b", "same", { body: Buffer.from("other") }), message("a.b", "same")], { signal: never });
  expect(refusals(statuses)).toEqual(["ID_REUSED", "accepted"]);
});

it("forgets ids after the window, and frees what it remembered them in", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open({ dedupMs: 400 });
  const again = async (): Promise<unknown> => (await session.publish([message("a.b", "same")], { signal: never }))?.[0];
  expect(await again()).toBeUndefined();
  expect(await again()).toMatchObject({ duplicate: true });
  await until(async () => (await again()) === undefined, "it is new again");
  await until(async () => (await beside.keys(key("ids:*"))).length === 0, "nothing is remembered");
});

it("refuses more ids than it may remember", async () => {
  const { open } = redis.begin();
  const { session } = await open({ dedupIdsMax: 8 });
  await publish(session, [message("a.b", "one"), message("a.b", "two")]);
  expect(refusals(await session.publish([message("a.b", "three")], { signal: never }))).toEqual(["BACKPRESSURE"]);
});

it("calls a publish that no replica confirmed unknown", async () => {
  const { open } = redis.begin();
  const { session } = await open({ confirm: "replicated", replicaTimeoutMs: 50 });
  expect(await session.publish([message("a.b", "m")], { signal: never })).toMatchObject([{ status: "unknown" }]);
});

it("publishes a batch larger than a script can take, in order, and refuses the rest when one finds no room", async () => {
  const { open } = redis.begin();
  const { session } = await open({ groupMessagesMax: 4_500 });
  const member = await join(session, "g", "a.#", 5_000);
  const statuses = await session.publish(
    numbers(5_000).map((index) => message("a.b", `m${index}`)),
    { signal: never, isFirstSend: true },
  );
  expect(refusals(statuses).indexOf("BACKPRESSURE")).toBe(4_500);
  expect(idsOf(await take(member, 4_500))).toEqual(numbers(4_500).map((index) => `m${index}`));
});
