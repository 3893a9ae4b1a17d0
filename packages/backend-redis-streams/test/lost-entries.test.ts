/** What somebody deletes under us is reported where Redis lets it be noticed, each entry once. */
import type { BackendEvent } from "@halyard/core/spi";
import { expect, it } from "vitest";
import { ack, idsOf, join, message, never, publish, redisFixture, take, until } from "./redis-fixture.ts";

const redis = redisFixture();
const three = ["one", "two", "three"].map((id) => message("a.b", id));

/** How many entries were reported as lost so far. */
const lostOf = (events: readonly BackendEvent[]): number =>
  events.reduce((sum, event) => sum + (event.type === "recreated" && typeof event.lost === "number" ? event.lost : 0), 0);

it("reports entries that were trimmed while members held them, when their lease lapses", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session, events } = await open({ leaseMs: 300 });
  const member = await join(session, "g", "a.#");
  await publish(session, three);
  const taken = await take(member, 3);
  await beside.xtrim(key("group:g"), "MAXLEN", 0);
  await publish(session, [message("a.b", "four")]);
  expect(idsOf(await take(member, 1))).toEqual(["four"]);
  await until(() => lostOf(events) === 3, "all three are reported");
  // In one event or several: leases lapse one after the other.
  for (const event of events) expect(event).toMatchObject({ type: "recreated", what: `deleted entries of stream ${key("group:g")}` });
  expect(await ack(member, taken)).toEqual(["stale", "stale", "stale"]);
  expect(await session.admin.group("g", never)).toMatchObject({ inFlight: 1 });
});

it("reports entries that were trimmed before they were given back, and none that were handled in spite of it", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session, events } = await open({ leaseMs: 60_000 });
  const member = await join(session, "g", "a.#");
  await publish(session, three);
  const [handled, released, kept] = await take(member, 3);
  await beside.xtrim(key("group:g"), "MAXLEN", 0);
  const settlements = [
    { receipt: handled?.receipt, outcome: { type: "ack" } },
    { receipt: released?.receipt, outcome: { type: "release" } },
  ] as const;
  expect(await member.settle(settlements)).toBeUndefined();
  expect(lostOf(events)).toBe(1);
  expect(await member.lease?.extend([kept?.receipt])).toEqual([kept?.receipt]);
  expect(lostOf(events)).toBe(2);
});

it("moves what was trimmed meanwhile: the copy is all there is", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session, events } = await open();
  const member = await join(session, "g", "a.#");
  await publish(session, [message("a.b", "one")]);
  const [delivery] = await take(member, 1);
  await beside.xtrim(key("group:g"), "MAXLEN", 0);
  const retry = { type: "move", to: "inbox", message: message("a.b", "one", { attempt: 2 }), delayMs: 0 } as const;
  expect(await member.settle([{ receipt: delivery?.receipt, outcome: retry }])).toBeUndefined();
  expect((await take(member, 1))[0]?.message.attempt).toBe(2);
  expect(lostOf(events)).toBe(0);
});

it("reports what was trimmed while a session held it that closes, and one that broke", async () => {
  const { open, redis: beside, key, backend } = redis.begin();
  const own = backend({ leaseMs: 60_000 });
  const { session, events } = await open({}, { backend: own, clientName: "same" });
  const member = await join(session, "g", "a.#");
  await publish(session, three);
  await take(member, 3);
  await beside.xtrim(key("group:g"), "MAXLEN", 0);
  const ids = String(await beside.call("CLIENT", "LIST")).matchAll(/id=(\d+) .* name=same\S* /g);
  for (const [, id] of ids) await beside.call("CLIENT", "KILL", "ID", id ?? "");
  expect(await session.closed).toBeInstanceOf(Error);
  const again = await open({}, { backend: own, clientName: "same" });
  expect(lostOf([...events, ...again.events])).toBe(3);
});

it("reports a set of delayed retries that was deleted, when the first of them would have been due", async () => {
  const { open, redis: beside, key } = redis.begin();
  const { session, events } = await open();
  const member = await join(session, "g", "a.#");
  await publish(session, [message("a.b", "one")]);
  const [delivery] = await take(member, 1);
  const retry = { type: "move", to: "inbox", message: message("a.b", "one", { attempt: 2 }), delayMs: 300 } as const;
  await member.settle([{ receipt: delivery?.receipt, outcome: retry }]);
  await beside.del(key("delayed:g"));
  await until(() => events.length > 0, "it is reported");
  expect(events).toEqual([{ type: "recreated", what: `sorted set ${key("delayed:g")}`, lost: "unknown" }]);
  expect(await beside.exists(key("due"))).toBe(0);
});
