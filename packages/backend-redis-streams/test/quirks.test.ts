/** What only Redis does: foreign entries, groups that expire, an owner that sleeps, retries whose session is gone, history. */
import { type History, parsePattern, type SubscribeRequest } from "@halyard/core/spi";
import { faultProxy } from "@halyard/testkit";
import { expect, it } from "vitest";
import { ack, idsOf, join, message, never, publish, redisFixture, take, until } from "./redis-fixture.ts";

const redis = redisFixture();

it("hands over what another program added by hand, and goes on after what makes no sense", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open();
  const member = await join(session, "g", "#");
  const id = await beside.xadd(key("group:g"), "*", "body", '{"n":1}', "halyard-topic", "from.python", "note", "n");
  await beside.xadd(key("group:g"), "*", "x", "");
  await beside.xadd(key("group:g"), "*", Buffer.from([0xff, 0xfe]), Buffer.from([0, 1]), "halyard-id", "b a d", "halyard-attempt", "NaN");
  const [first, second, third] = await take(member, 3);
  expect(first?.message).toMatchObject({ id, topic: "from.python", contentType: "application/json", attempt: 1, headers: { note: "n" } });
  expect(second?.message.topic).toBe("g");
  expect(third?.message).toMatchObject({ id: third?.position, attempt: 1 });
});

it("is read by other programs as plain fields", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open();
  await join(session, "g", "a.#", 0);
  await publish(session, [message("a.b", "m")]);
  const [entry] = await beside.xrange(key("group:g"), "-", "+");
  expect(entry?.[1]).toEqual(["body", '"m"', "halyard-id", "m", "halyard-topic", "a.b", "halyard-time", "1700000000000"]);
});

it("hears live what another program publishes on a topic's channel, and leaves out what is no message", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open();
  const live = await session.subscribe({ patterns: [parsePattern("a.b")], inFlightMax: 10 }, never);
  await beside.publish(key("live:a.b"), "no message");
  await beside.publish(key("live:a.b"), Buffer.from([0x92, 0xa4, ...Buffer.from("body"), 0xa1, 0x37]));
  const [delivery] = await take(live, 1);
  expect(String(delivery?.message.body)).toBe("7");
  expect(delivery?.message.topic).toBe("a.b");
});

it("brings back a retry whose session has died, and says how many wait", async () => {
  const { open } = redis.begin();
  const first = (await open()).session;
  const other = (await open()).session;
  const member = await join(first, "g", "a.#");
  await publish(first, [message("a.b", "m")]);
  const [delivery] = await take(member, 1);
  const startMs = performance.now();
  const retry = { type: "move", to: "inbox", message: message("a.b", "m", { attempt: 2 }), delayMs: 600 } as const;
  expect(await member.settle([{ receipt: delivery?.receipt, outcome: retry }])).toBeUndefined();
  expect(await other.admin.group("g", never)).toMatchObject({ delayed: 1, waiting: 0, inFlight: 0 });
  const waiting = await join(other, "g", "a.#");
  await first.close();
  const [again] = await take(waiting, 1);
  expect(again?.message.attempt).toBe(2);
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(599);
  expect(performance.now() - startMs).toBeLessThan(3_000);
});

it("brings back each retry at its own time, and none with one that is due before it", async () => {
  const { open } = redis.begin();
  const { session } = await open();
  const member = await join(session, "g", "a.#");
  await publish(session, [message("a.b", "soon"), message("a.b", "late")]);
  const taken = await take(member, 2);
  const startMs = performance.now();
  await member.settle(
    taken.map(({ receipt, message: original }, index) => ({
      receipt,
      outcome: { type: "move", to: "inbox", message: { ...original, attempt: 2 }, delayMs: 150 + index * 250 } as const,
    })),
  );
  expect(idsOf(await take(member, 1))).toEqual(["soon"]);
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(149);
  expect(idsOf(await take(member, 1))).toEqual(["late"]);
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(399);
});

it("moves ten thousand retries that are due at once, in pieces", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open();
  const member = await join(session, "g", "a.#", 10_000);
  for (let part = 0; part < 10; part++) {
    await publish(
      session,
      Array.from({ length: 1_000 }, (_, index) => message("a.b", `m${part}-${index}`)),
    );
    const taken = await take(member, 1_000);
    await member.settle(
      taken.map(({ receipt, message: original }) => ({
        receipt,
        outcome: { type: "move", to: "inbox", message: { ...original, attempt: 2 }, delayMs: 600_000 } as const,
      })),
    );
  }
  expect(await beside.zcard(key("delayed:g"))).toBe(10_000);
  await beside.eval("for _, one in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 1, one) end", 1, key("delayed:g"));
  await beside.zadd(key("due"), 1, "g");
  const again = await take(member, 10_000, 20_000);
  expect(new Set(idsOf(again)).size).toBe(10_000);
  expect(await beside.zcard(key("delayed:g"))).toBe(0);
  expect(await beside.exists(key("due"))).toBe(0);
}, 40_000);

it("removes a group whose last member left longer ago than it asked for, and keeps one that has members", async () => {
  const { open } = redis.begin();
  const { session } = await open({ leaseMs: 300 });
  const watcher = (await open({ leaseMs: 300 })).session;
  const request = (name: string): SubscribeRequest => ({
    patterns: [parsePattern("a.#")],
    inFlightMax: 1,
    group: { name, from: "new", exclusive: false, idleExpiryMs: 500 },
  });
  await watcher.subscribe(request("kept"), never);
  const leaving = await session.subscribe(request("left"), never);
  await leaving.close();
  await until(async () => (await watcher.admin.group("left", never)) === undefined, "the group without members goes");
  expect(await watcher.admin.group("kept", never)).toMatchObject({ members: 1 });
});

it("lets the next member of an exclusive group take over what a sleeping owner held, in order, and the owner nothing more", async () => {
  const { open, broker } = redis.begin();
  const proxy = await faultProxy({ target: { port: broker.port } });
  const timing = { leaseMs: 600, blockMs: 300, commandTimeoutMs: 10_000 };
  const request: SubscribeRequest = { patterns: [parsePattern("a.#")], inFlightMax: 5, group: { name: "g", from: "new", exclusive: true } };
  const sleeping = await (await open(timing, { proxy })).session.subscribe(request, never);
  const { session } = await open(timing);
  const next = await session.subscribe(request, never);
  for (const member of [sleeping, next]) member.credit(5);
  await publish(session, [message("a.b", "one"), message("a.b", "two")]);
  const held = await take(sleeping, 2);
  proxy.stall();
  await publish(session, [message("a.b", "three")]);
  const taken = await take(next, 3);
  expect(idsOf(taken)).toEqual(["one", "two", "three"]);
  proxy.resume();
  expect(await ack(sleeping, held)).toEqual(["stale", "stale"]);
  await publish(session, [message("a.b", "four")]);
  expect(idsOf(await take(next, 1))).toEqual(["four"]);
  expect(await ack(next, taken)).toBeUndefined();
  await proxy.close();
});

it("keeps a topic's history in order over many topics, page by page", async () => {
  const { open } = redis.begin();
  const { session } = await open({ history: { countMax: 1_000 } });
  await publish(
    session,
    Array.from({ length: 300 }, (_, index) => message(`h.t${index % 7}`, `m${index}`)),
  );
  const { history } = session;
  const read: string[] = [];
  let from: "start" | { readonly after: string } = "start";
  for (let isEnd = false; !isEnd; ) {
    const page: Awaited<ReturnType<History["read"]>> | undefined = await history?.read({ patterns: [parsePattern("h.#")], from, limit: 40, signal: never });
    if (page === undefined) throw new Error("there is no history");
    expect(page.messages.length).toBeLessThanOrEqual(40);
    read.push(...page.messages.map((stored) => stored.message.id));
    from = { after: page.messages.at(-1)?.position ?? "" };
    isEnd = page.end;
  }
  expect(read).toEqual(Array.from({ length: 300 }, (_, index) => `m${index}`));
  const topics = await session.admin.topics(never);
  expect(topics?.map(({ stored }) => stored).sort()).toEqual([42, 43, 43, 43, 43, 43, 43]);
});

it("says at which position of the history a message was stored", async () => {
  const { open } = redis.begin();
  const { session } = await open({ history: {} });
  const statuses = await session.publish([message("a", "one"), message("b", "two")], { signal: never, positions: true });
  const [first, second] = statuses ?? [];
  const page = await session.history?.read({
    patterns: [parsePattern("#")],
    from: { after: (first?.status === "accepted" && first.position) || "" },
    limit: 5,
    signal: never,
  });
  expect(page?.messages.map((stored) => [stored.message.id, stored.position])).toEqual([["two", second?.status === "accepted" ? second.position : ""]]);
});
