/** Lists that are longer than Lua hands to one command (8,000 values), and than one script should work on. */
import type { BackendSubscription, Delivery, Outcome, Session, Verdict, WireMessage } from "@halyard/core/spi";
import { expect, it } from "vitest";
import { inParts } from "../src/parts.ts";
import { ack, idsOf, join, message, never, publish, redisFixture, take, until } from "./redis-fixture.ts";

const redis = redisFixture();
const many = 10_000;
const timeout = 60_000;

const numbered = (count: number): WireMessage[] => Array.from({ length: count }, (_, index) => message("a.b", `m${index}`));

async function holdMany(session: Session): Promise<{ member: BackendSubscription; taken: Delivery[] }> {
  const member = await join(session, "g", "a.#", many);
  await publish(session, numbered(many));
  return { member, taken: await take(member, many, 30_000) };
}

const settleAll = (member: BackendSubscription, taken: readonly Delivery[], outcome: (delivery: Delivery) => Outcome) =>
  member.settle(taken.map((delivery) => ({ receipt: delivery.receipt, outcome: outcome(delivery) })));

const copyOf = ({ message: original }: Delivery): WireMessage => ({ ...original, attempt: 2 });

it("acks ten thousand at once", { timeout }, async () => {
  const { open } = redis.begin();
  const { session } = await open();
  const { member, taken } = await holdMany(session);
  expect(await ack(member, taken)).toBeUndefined();
  expect(await session.admin.group("g", never)).toMatchObject({ waiting: 0, inFlight: 0 });
  await publish(session, [message("a.b", "next")]);
  expect(idsOf(await take(member, 1))).toEqual(["next"]); // its credit is free again
});

it("acks ten thousand at once although somebody took one by force, and says which was stale", { timeout }, async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open({ leaseMs: 60_000 });
  const { member, taken } = await holdMany(session);
  await beside.hset(key("epochs"), "g", "another:1");
  await beside.call("XCLAIM", key("group:g"), "halyard", "somebody", 0, taken[5_000]?.position ?? "");
  const statuses = await ack(member, taken);
  expect(statuses?.flatMap((status, index) => (status === "done" ? [] : [`${index} ${status}`]))).toEqual(["5000 stale"]);
  expect(await session.admin.group("g", never)).toMatchObject({ waiting: 0, inFlight: 1 });
});

it.each([
  ["delayed retries", "inbox", 600_000],
  ["the inbox", "inbox", 0],
  ["dead letters", "dead-letters", 0],
] as const)("moves ten thousand to %s at once, each one time", { timeout }, async (_, to, delayMs) => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open();
  const { member, taken } = await holdMany(session);
  member.credit(0);
  expect(await settleAll(member, taken, (delivery) => ({ type: "move", to, message: copyOf(delivery), delayMs }))).toBeUndefined();
  const counts = [await beside.xlen(key("group:g")), await beside.zcard(key("delayed:g")), await beside.xlen(key("dead:g"))];
  expect(counts).toEqual(to === "dead-letters" ? [0, 0, many] : delayMs > 0 ? [0, many, 0] : [many, 0, 0]);
});

it("moves bodies of many megabytes at once", { timeout }, async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open({ commandTimeoutMs: 5_000 });
  const member = await join(session, "g", "a.#", 20);
  const body = Buffer.alloc(900_000, "x");
  await publish(
    session,
    Array.from({ length: 20 }, (_, index) => message("a.b", `m${index}`, { body })),
  );
  const taken = await take(member, 20);
  expect(await settleAll(member, taken, (delivery) => ({ type: "move", to: "dead-letters", message: copyOf(delivery), delayMs: 0 }))).toBeUndefined();
  expect([await beside.xlen(key("group:g")), await beside.xlen(key("dead:g"))]).toEqual([0, 20]);
});

it("extends ten thousand leases at once, and gives ten thousand back on closing", { timeout }, async () => {
  const { open } = redis.begin();
  const { session } = await open();
  const { member, taken } = await holdMany(session);
  expect(await member.lease?.extend(taken.map(({ receipt }) => receipt))).toEqual([]);
  await member.close();
  expect(await session.admin.group("g", never)).toMatchObject({ waiting: many, inFlight: 0 });
  expect(await session.admin.purgeGroup("g", never)).toBe(many);
});

it("removes and redrives ten thousand letters of one page, and purges as many", { timeout }, async () => {
  const { open } = redis.begin();
  const { session } = await open();
  const member = await join(session, "g", "b.#", many);
  await session.publish(numbered(many), { signal: never, target: { deadLetters: "g" } });
  const verdictOf = (letter: WireMessage, index: number): Verdict => (index % 2 === 0 ? "remove" : { redrive: letter });
  await session.deadLetters.walk("g", { pageMax: many, signal: never }, async (page) => page.map(verdictOf));
  expect(new Set(idsOf(await take(member, many / 2, 30_000))).size).toBe(many / 2);
  expect(await session.deadLetters.count("g", never)).toBe(0);
  await session.publish(numbered(many), { signal: never, target: { deadLetters: "g" } });
  expect(await session.deadLetters.purge("g", never)).toBe(many);
});

it("publishes nine thousand topics in one batch, and again without storing them twice", { timeout }, async () => {
  const { open } = redis.begin();
  const { session } = await open({ history: {} });
  const member = await join(session, "g", "#", many);
  const batch = Array.from({ length: 9_000 }, (_, index) => message(`t${index}.x`, `m${index}`));
  await publish(session, batch);
  await publish(session, batch);
  expect(idsOf(await take(member, 9_000, 30_000))).toEqual(batch.map(({ id }) => id));
  expect((await session.admin.topics(never))?.length).toBe(9_000);
});

it("keeps what it holds where the server refuses to settle, says so once, and settles it when it may again", { timeout }, async () => {
  const { open, redis: beside } = redis.begin();
  const { session, events } = await open();
  const member = await join(session, "g", "a.#");
  await publish(session, numbered(2));
  const taken = await take(member, 2);
  await beside.call("ACL", "SETUSER", "default", "-xack");
  try {
    expect(await ack(member, taken)).toEqual(["failed", "failed"]);
    expect(await ack(member, taken)).toEqual(["failed", "failed"]);
  } finally {
    await beside.call("ACL", "SETUSER", "default", "+xack");
  }
  expect(events).toEqual([{ type: "warning", text: expect.stringContaining("group g cannot be settled") }]);
  expect(await ack(member, taken)).toBeUndefined();
  await until(async () => (await session.admin.group("g", never))?.inFlight === 0, "all are settled");
});

it("makes parts by number and by bytes, and leaves nothing out", () => {
  const list = Array.from({ length: 2_500 }, (_, index) => index);
  expect([...inParts(list)].map((part) => part.length)).toEqual([1_000, 1_000, 500]);
  expect([...inParts(list)].flat()).toEqual(list);
  expect([...inParts([1, 2, 3, 4], (megabytes) => megabytes * 400_000)]).toEqual([[1], [2], [3], [4]]);
  expect([...inParts([1, 1, 1], () => 500_000)]).toEqual([[1, 1], [1]]);
  expect([...inParts([])]).toEqual([]);
});
