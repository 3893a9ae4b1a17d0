/** Groups that start with history: copied in pages, while others publish. */
import { type GroupRequest, isHalyardError, parsePattern, type Session, type SubscribeRequest } from "@halyard/core/spi";
import { expect, it } from "vitest";
import { idsOf, message, never, publish, redisFixture, take, until } from "./redis-fixture.ts";

const redis = redisFixture();
const history = { countMax: 100_000 };
const timeout = 60_000;

const request = (from: GroupRequest["from"], patterns = "a.#"): SubscribeRequest => ({
  patterns: [parsePattern(patterns)],
  inFlightMax: 100_000,
  group: { name: "g", from, exclusive: false },
});

/** Over seven topics of which a pattern on `a.#` wants six. */
const numbered = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => message((from + index) % 7 === 6 ? "b.x" : `a.t${(from + index) % 7}`, `m${from + index}`));

const wanted = (total: number): string[] => numbered(0, total).flatMap(({ topic, id }) => (topic === "b.x" ? [] : [id]));

async function publishMany(session: Session, from: number, count: number): Promise<void> {
  for (let at = from; at < from + count; at += 500) await publish(session, numbered(at, Math.min(500, from + count - at)));
}

/** Aborts when it has been looked at so often: between two pages. */
function abortingAfter(looks: number): AbortSignal {
  const controller = new AbortController();
  const look = { get: (signal: AbortSignal, name: keyof AbortSignal) => (name === "aborted" && --looks < 0 ? true : signal[name]) };
  return new Proxy(controller.signal, look as ProxyHandler<AbortSignal>); // only known names are asked for
}

it("hands over twenty thousand of the past and what is published meanwhile, each once and in order", { timeout }, async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open({ history });
  const publisher = (await open({ history })).session;
  await publishMany(session, 0, 20_000);
  let total = 20_000;
  let isSubscribed = false;
  const publishing = (async () => {
    for (let more = 0; !isSubscribed || more < 1_000; more = isSubscribed ? more + 500 : 0) {
      await publishMany(publisher, total, 500);
      total += 500;
    }
  })();
  const member = await session.subscribe(request("earliest"), never);
  isSubscribed = true;
  member.credit(100_000);
  await publishing;
  expect(total).toBeGreaterThan(21_000); // some while it was copied
  const expected = wanted(total);
  expect(idsOf(await take(member, expected.length, 30_000))).toEqual(expected);
  expect(await beside.exists(key("fills"))).toBe(0);
  expect(await session.admin.group("g", never)).toMatchObject({ waiting: 0, patterns: ["a.#"] });
});

it("goes on where somebody who died has stopped, and copies nothing twice", { timeout }, async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open({ history });
  await publishMany(session, 0, 20_000);
  await expect(session.subscribe(request("earliest"), abortingAfter(7))).rejects.toSatisfy((error) => isHalyardError(error, "ABORTED"));
  expect(await beside.xlen(key("group:g"))).toBeGreaterThan(0);
  expect(await session.admin.group("g", never)).toBeUndefined();
  await publishMany(session, 20_000, 1_000);
  const [one, other] = [(await open({ history })).session, (await open({ history })).session];
  const [member] = await Promise.all([one.subscribe(request("new"), never), other.admin.defineGroup("g", { add: [], drop: [] }, never)]);
  await publishMany(session, 21_000, 500);
  member.credit(100_000);
  const expected = wanted(21_500);
  expect(idsOf(await take(member, expected.length, 30_000))).toEqual(expected);
});

it("starts at a time", { timeout }, async () => {
  const { open } = redis.begin();
  const { session } = await open({ history });
  await publishMany(session, 0, 500);
  await new Promise((resolve) => setTimeout(resolve, 5)); // a millisecond of its own
  const statuses = await session.publish([message("a.t0", "from-here")], { signal: never, positions: true });
  const [status] = statuses ?? [];
  const timeMs = Number(status?.status === "accepted" ? status.position?.split("-")[0] : Number.NaN);
  const member = await session.subscribe(request({ timeMs }), never);
  member.credit(10);
  await publish(session, [message("a.t0", "next")]);
  expect(idsOf(await take(member, 2))).toEqual(["from-here", "next"]);
});

it("refuses to start with more than a group may hold, and leaves nothing behind", { timeout }, async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open({ history, groupMessagesMax: 1_000 });
  await publishMany(session, 0, 3_000);
  await expect(session.subscribe(request("earliest"), never)).rejects.toSatisfy((error) => isHalyardError(error, "UNSUPPORTED"));
  expect(await beside.exists(key("group:g"), key("fills"))).toBe(0);
  expect(await session.admin.group("g", never)).toBeUndefined();
});

it("removes what nobody goes on filling", { timeout }, async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open({ history, leaseMs: 300 });
  await publishMany(session, 0, 500);
  await beside.hset(key("fills"), "g", `0 ${Date.now()} ${Date.now() - 3_700_000} a.#`);
  await beside.xadd(key("group:g"), "*", "body", "1");
  const member = await session.subscribe({ ...request("new"), group: { name: "other", from: "new", exclusive: false } }, never);
  await until(async () => (await beside.exists(key("fills"), key("group:g"))) === 0, "it is removed");
  await member.close();
});

it("starts with bodies of many megabytes, in pages", { timeout }, async () => {
  const { open } = redis.begin();
  const { session } = await open({ history, commandTimeoutMs: 5_000 });
  const body = Buffer.alloc(900_000, "x");
  for (let index = 0; index < 20; index++) await publish(session, [message(`a.t${index % 3}`, `m${index}`, { body })]);
  const member = await session.subscribe(request("earliest"), never);
  member.credit(20);
  expect(idsOf(await take(member, 20))).toEqual(Array.from({ length: 20 }, (_, index) => `m${index}`));
});
