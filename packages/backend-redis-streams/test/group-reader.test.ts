import { isHalyardError } from "@halyard/core/spi";
import { faultProxy } from "@halyard/testkit";
import { expect, it } from "vitest";
import { ack, idsOf, join, message, never, publish, redisFixture, take, until } from "./redis-fixture.ts";

const redis = redisFixture();

it("serves a hundred members of one session over one reading connection, each within its credit", async () => {
  const { open, redis: beside, namespace } = redis.begin();
  const { session } = await open({}, { clientName: "hundred" });
  const members = await Promise.all(Array.from({ length: 100 }, (_, index) => join(session, `g${index % 10}`, "a.#", 2)));
  await publish(
    session,
    Array.from({ length: 20 }, (_, index) => message("a.b", `m${index}`)),
  );
  // 20 messages for each of ten groups, ten members a group with room for two: everybody is full.
  const taken = await Promise.all(members.map((member) => take(member, 2)));
  expect(new Set(taken.flatMap((part, index) => part.map((delivery) => `${index % 10} ${delivery.message.id}`))).size).toBe(200);
  const clients = String(await beside.call("CLIENT", "LIST"));
  expect(clients.match(/name=hundred/g)).toHaveLength(3);
  expect(namespace).toMatch(/^test-/);
  await Promise.all(members.map((member, index) => ack(member, taken[index] ?? [])));
});

it("reads groups with different credits in one session, none beyond its own", async () => {
  const { open } = redis.begin();
  const { session } = await open();
  const narrow = await join(session, "narrow", "a.#", 1);
  const wide = await join(session, "wide", "a.#", 50);
  await publish(
    session,
    Array.from({ length: 40 }, (_, index) => message("a.b", `m${index}`)),
  );
  expect(idsOf(await take(wide, 40))).toHaveLength(40);
  const [first] = await take(narrow, 1);
  expect((await session.admin.group("narrow", never))?.inFlight).toBe(1);
  await ack(narrow, [first as NonNullable<typeof first>]);
  await take(narrow, 1);
  expect((await session.admin.group("narrow", never))?.inFlight).toBe(1);
});

it("does not let a member that joins wait for the blocked read of others", async () => {
  const { open } = redis.begin();
  const { session } = await open({ blockMs: 5_000, leaseMs: 60_000 });
  await join(session, "first", "a.#");
  await new Promise((resolve) => setTimeout(resolve, 100)); // the read of the first is blocked by now
  const startMs = performance.now();
  const second = await join(session, "second", "b.#");
  await publish(session, [message("b.c", "m")]); // nothing that would wake the first
  await take(second, 1);
  expect(performance.now() - startMs).toBeLessThan(2_500);
});

it.each([
  ["FLUSHALL", (key: string) => ["FLUSHALL", key]],
  ["DEL", (key: string) => ["DEL", key]],
  ["XGROUP DESTROY", (key: string) => ["XGROUP", "DESTROY", key, "halyard"]],
] as const)("makes the group again after %s under a blocked read, and reports it", async (name, command) => {
  const { open, redis: beside, key } = redis.begin();
  const { session, events } = await open({ blockMs: 500 });
  const member = await join(session, "g", "a.#");
  await publish(session, [message("a.b", "before")]);
  await ack(member, await take(member, 1));
  const [verb, ...rest] = command(key("group:g"));
  await beside.call(verb as string, ...(name === "FLUSHALL" ? [] : rest));
  let count = 0;
  const receiving = take(member, 1);
  let hasArrived = false;
  void receiving.then(() => {
    hasArrived = true;
  });
  await until(async () => {
    if (!hasArrived) await publish(session, [message("a.b", `after-${count++}`)]);
    return hasArrived;
  }, "it consumes again");
  await receiving;
  expect(events).toContainEqual({ type: "recreated", what: `stream ${key("group:g")}`, lost: "unknown" });
});

it("tells members in other processes that their group was removed, not lost", async () => {
  const { open } = redis.begin();
  const { session, events } = await open();
  const other = (await open()).session;
  const member = await join(session, "g", "a.#");
  const receiving = member.receive(1, never);
  receiving.catch(() => undefined);
  await other.admin.removeGroup("g", never);
  await expect(receiving).rejects.toSatisfy((error) => isHalyardError(error, "GROUP_REMOVED"));
  expect(events).toEqual([]);
});

it.each(["reset", "stall", "loseReplies"] as const)("notices %s during a blocked read, and the next session has what was held at once", async (fault) => {
  const { open, broker, backend } = redis.begin();
  const proxy = await faultProxy({ target: { port: broker.port } });
  const own = backend({ blockMs: 300, commandTimeoutMs: 300, leaseMs: 60_000 }, proxy);
  const { session } = await open({}, { backend: own, clientName: "same" });
  const publisher = (await open()).session;
  const member = await join(session, "g", "a.#");
  await publish(publisher, [message("a.b", "held")]);
  await take(member, 1);
  proxy[fault]();
  await publish(publisher, [message("a.b", "waiting")]);
  expect(await session.closed).toBeInstanceOf(Error);
  proxy.heal();
  const again = await join((await open({}, { backend: own, clientName: "same" })).session, "g", "a.#");
  expect(idsOf(await take(again, 2, 5_000)).sort()).toEqual(["held", "waiting"]);
  await proxy.close();
});

it("hands over again what a member held past its lease, also to a session that was idle, and the old receipt is stale", async () => {
  const { open } = redis.begin();
  const { session } = await open({ leaseMs: 400 });
  const idle = (await open({ leaseMs: 400 })).session;
  const member = await join(session, "g", "a.#", 1);
  await publish(session, [message("a.b", "m")]);
  const old = await take(member, 1);
  const next = await join(idle, "g", "a.#");
  const again = await take(next, 1);
  expect(again[0]?.deliveries).toBe(2);
  expect(await member.lease?.extend(old.map(({ receipt }) => receipt))).toEqual(old.map(({ receipt }) => receipt));
  expect(await ack(member, old)).toEqual(["stale"]);
  expect(await ack(next, again)).toBeUndefined();
});

it("hands over again to the only member what it held past its lease", async () => {
  const { open } = redis.begin();
  const { session } = await open({ leaseMs: 300 });
  const member = await join(session, "g", "a.#");
  await publish(session, [message("a.b", "m")]);
  const old = await take(member, 1);
  const again = await take(member, 1);
  expect(idsOf(again)).toEqual(["m"]);
  expect(await ack(member, old)).toEqual(["stale"]);
  expect(await ack(member, again)).toBeUndefined();
});

it("leaves no consumer behind, and none while something is pending under its name", async () => {
  const { open, redis: beside, key } = redis.begin();
  const first = (await open()).session;
  const second = (await open()).session;
  const member = await join(first, "g", "a.#", 5);
  await publish(first, [message("a.b", "one"), message("a.b", "two")]);
  await take(member, 2);
  const other = await join(second, "g", "a.#", 5);
  await first.close();
  expect(idsOf(await take(other, 2)).sort()).toEqual(["one", "two"]);
  const consumers = (await beside.call("XINFO", "CONSUMERS", key("group:g"), "halyard")) as string[][];
  expect(consumers.map((info) => info[1]).sort()).toEqual([expect.stringMatching(/^client-/), "parked"]);
});

it("leaves no consumer behind although a read was waiting", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session } = await open();
  const member = await join(session, "g", "a.#", 5);
  await new Promise((resolve) => setTimeout(resolve, 50)); // its read waits by now
  await member.close();
  await publish(session, [message("a.b", "one")]);
  expect(await beside.call("XINFO", "CONSUMERS", key("group:g"), "halyard")).toEqual([]);
});

it("gives back what arrived and was not received, uncounted, when its credit goes to 0", async () => {
  const { open } = redis.begin();
  const { session } = await open();
  const member = await join(session, "g", "a.#", 5);
  await publish(session, [message("a.b", "one"), message("a.b", "two")]);
  await until(async () => (await session.admin.group("g", never))?.inFlight === 2, "they are fetched");
  member.credit(0);
  const other = await join((await open()).session, "g", "a.#", 5);
  const taken = await take(other, 2);
  expect(taken.map(({ deliveries }) => deliveries)).toEqual([1, 1]);
  expect(idsOf(taken)).toEqual(["one", "two"]);
});

it("is as fast with a group on # over 1,000 topics as over one", async () => {
  const { open } = redis.begin();
  const { session } = await open();
  const member = await join(session, "all", "#", 500);
  const round = async (name: string, topics: number): Promise<number> => {
    const startMs = performance.now();
    for (let batch = 0; batch < 10; batch++) {
      await publish(
        session,
        Array.from({ length: 500 }, (_, index) => message(`t${((batch * 500 + index) % topics).toString()}`, `${name}-${batch}-${index}`)),
      );
      await ack(member, await take(member, 500));
    }
    return performance.now() - startMs;
  };
  await round("warm", 1_000);
  const oneMs = Math.min(await round("one-a", 1), await round("one-b", 1));
  const manyMs = Math.min(await round("many-a", 1_000), await round("many-b", 1_000));
  expect(manyMs).toBeLessThan(oneMs * 2 + 50); // generous: the machine is shared
});
