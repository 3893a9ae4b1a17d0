import { type BackendSubscription, type Delivery, isHalyardError, type PublishStatus, type Session, type WireMessage } from "@halyard/core/spi";
import { describe, expect, test } from "vitest";
import { memory } from "../src/memory.ts";
import type { MemoryOptions } from "../src/options.ts";
import { fresh, groupRequest, never, patterns, perhapsRepeated, StillClock, type TestHost, testHost, wireMessage } from "./sample.ts";

interface Setup {
  readonly session: Session;
  readonly other: Session;
  readonly host: TestHost;
  readonly clock: StillClock;
}

async function setup(options: MemoryOptions = {}): Promise<Setup> {
  const backend = memory(options);
  const clock = new StillClock();
  const host = testHost(clock);
  return { session: await backend.connect(host, never), other: await backend.connect(testHost(clock), never), host, clock };
}

async function member(session: Session, name: string, fields: Parameters<typeof groupRequest>[1] = {}, credit = 100): Promise<BackendSubscription> {
  const subscription = await session.subscribe(groupRequest(name, fields), never);
  subscription.credit(credit);
  return subscription;
}

const idsOf = (deliveries: readonly Delivery[]): string[] => deliveries.map(({ message }) => message.id);
const messages = (...ids: string[]): WireMessage[] => ids.map((id) => wireMessage(id));
const codes = (statuses: readonly PublishStatus[] | undefined): unknown[] =>
  (statuses ?? []).map((status) => (status.status === "refused" && isHalyardError(status.error) ? status.error.code : status.status));
const rejection = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return isHalyardError(error) ? error.code : error;
  }
  return "resolved";
};
/** What is there now; a `receive` that would wait is ended. */
async function now(subscription: BackendSubscription, max = 100): Promise<readonly Delivery[]> {
  const abort = new AbortController();
  const received = subscription.receive(max, abort.signal);
  abort.abort();
  return received;
}
const ack = (deliveries: readonly Delivery[]) => deliveries.map(({ receipt }) => ({ receipt, outcome: { type: "ack" as const } }));
const release = (deliveries: readonly Delivery[]) => deliveries.map(({ receipt }) => ({ receipt, outcome: { type: "release" as const } }));
const move = (delivery: Delivery, to: "inbox" | "dead-letters", delayMs = 0, message = delivery.message) => [
  { receipt: delivery.receipt, outcome: { type: "move" as const, to, message, delayMs } },
];

describe("sessions", () => {
  test("buses with the same memory() and namespace share messages, others do not", async () => {
    const [backend, stranger] = [memory(), memory()];
    const first = await backend.connect(testHost(), never);
    const subscriptions = await Promise.all(
      [
        [backend, "test"],
        [backend, "another"],
        [stranger, "test"],
      ].map(async ([from, namespace]) => member(await (from as typeof backend).connect(testHost(new StillClock(), namespace as string), never), "g")),
    );
    await first.publish(messages("a"), fresh);
    expect(await Promise.all(subscriptions.map(async (subscription) => idsOf(await now(subscription))))).toEqual([["a"], [], []]);
  });

  test("a session that closes gives back all it held at once, in order, and its calls reject", async () => {
    const { session, other } = await setup();
    const [mine, theirs] = [await member(session, "g"), await member(other, "g")];
    await session.publish(messages("a", "b", "c"), fresh);
    const held = await mine.receive(2, never);
    expect([idsOf(held), idsOf(await now(theirs))]).toEqual([["a", "b"], ["c"]]);
    const waiting = theirs.receive(5, never);
    const pending = mine.receive(5, never);
    await session.close();
    expect((await waiting).map(({ message, deliveries }) => [message.id, deliveries])).toEqual([
      ["a", 2],
      ["b", 2],
    ]);
    expect(await session.closed).toBe(undefined);
    for (const call of [pending, mine.receive(1, never), mine.settle(ack(held)), session.publish(messages("d"), fresh), session.admin.ping(never)]) {
      expect(await rejection(call)).toBe("CONNECTION_LOST");
    }
    expect((await other.admin.group("g", never))?.members).toBe(1);
  });

  test("nothing is left behind: no timer after the last session has closed, and what fell due meanwhile comes to the next", async () => {
    const backend = memory();
    const clock = new StillClock();
    const session = await backend.connect(testHost(clock), never);
    await session.admin.defineGroup("g", { add: patterns("#"), drop: [] }, never);
    await session.publish([wireMessage("a", { notBeforeMs: clock.nowMs() + 5_000 })], fresh);
    expect(clock.timers.size).toBe(1);
    await session.close();
    expect(clock.timers.size).toBe(0);
    clock.advance(6_000);
    expect(idsOf(await now(await member(await backend.connect(testHost(clock), never), "g")))).toEqual(["a"]);
  });
});

test("the backend says how much it holds over all namespaces, dead letters too", async () => {
  const backend = memory();
  for (const namespace of ["one", "two"]) {
    const session = await backend.connect(testHost(new StillClock(), namespace), never);
    await session.publish(messages("a"), { ...fresh, target: { deadLetters: "g" } });
    await session.close();
  }
  expect(backend.held()).toEqual({ messages: 2, bytes: 6 });
});

describe("receiving", () => {
  test("receive waits for a message, and one that comes during an abort waits for the next call", async () => {
    const { session } = await setup();
    const subscription = await member(session, "g");
    const first = subscription.receive(10, never);
    await session.publish(messages("a", "b"), fresh);
    expect(idsOf(await first)).toEqual(["a", "b"]);
    const abort = new AbortController();
    const second = subscription.receive(10, abort.signal);
    abort.abort();
    await session.publish(messages("c"), fresh);
    expect([idsOf(await second), idsOf(await subscription.receive(10, never))]).toEqual([[], ["c"]]);
  });

  test("one receive at a time; close ends it empty", async () => {
    const { session } = await setup();
    const subscription = await member(session, "g");
    const pending = subscription.receive(1, never);
    expect(await rejection(subscription.receive(1, never))).toBe("BUSY");
    await subscription.close();
    await subscription.close();
    expect([await pending, await subscription.receive(1, never)]).toEqual([[], []]);
  });

  test("a member begins with credit for one and opens up when it is told to", async () => {
    const { session } = await setup();
    const subscription = await session.subscribe(groupRequest("g", {}, 3), never);
    await session.publish(messages("a", "b", "c", "d"), fresh);
    expect(idsOf(await subscription.receive(10, never))).toEqual(["a"]);
    const pending = subscription.receive(10, never);
    subscription.credit(99);
    expect(idsOf(await pending)).toEqual(["b", "c"]);
    expect(await now(subscription)).toEqual([]);
  });

  test("members that wait get one each in turn", async () => {
    const { session, other } = await setup();
    const pending = await Promise.all([session, other, session].map(async (from) => ({ received: (await member(from, "g")).receive(10, never) })));
    await session.publish(messages("a", "b", "c", "d", "e", "f"), fresh);
    const counts = await Promise.all(pending.map(async ({ received }) => (await received).length));
    expect(counts).toEqual([2, 2, 2]);
  });

  test("an exclusive group has one active member, and the next one takes over when it leaves", async () => {
    const { session, other } = await setup();
    const [first, second] = [await member(session, "g", { exclusive: true }), await member(other, "g", { exclusive: true })];
    await session.publish(messages("a", "b"), fresh);
    const waiting = second.receive(10, never);
    expect(idsOf(await first.receive(1, never))).toEqual(["a"]);
    await session.publish(messages("c"), fresh);
    await first.close();
    expect(idsOf(await waiting)).toEqual(["a", "b", "c"]);
  });

  test("a member that did not ask for exclusive competes beside the active one of those that did, whoever joined first", async () => {
    const { session, other } = await setup();
    const plain = await member(session, "g");
    const [first, second] = [await member(session, "g", { exclusive: true }), await member(other, "g", { exclusive: true })];
    await session.publish(messages("a", "b", "c"), fresh);
    expect(idsOf(await plain.receive(1, never))).toEqual(["a"]);
    expect(idsOf(await first.receive(1, never))).toEqual(["b"]);
    expect(await now(second)).toEqual([]);
    await first.close();
    expect(idsOf(await second.receive(1, never))).toEqual(["b"]);
    expect(idsOf(await plain.receive(10, never))).toEqual(["c"]);
    await plain.close();
    expect(idsOf(await second.receive(10, never))).toEqual(["a", "c"]);
  });
});

describe("settling", () => {
  test("ack is final, and a receipt works once and only on its own subscription", async () => {
    const { session, other } = await setup();
    const [mine, theirs] = [await member(session, "g"), await member(other, "g")];
    await session.publish(messages("a"), fresh);
    const held = await mine.receive(1, never);
    expect(await theirs.settle(ack(held))).toEqual(["stale"]);
    expect(await mine.settle(ack(held))).toBe(undefined);
    expect(await mine.settle([...ack(held), { receipt: "nonsense", outcome: { type: "ack" } }])).toEqual(["stale", "stale"]);
    expect((await session.admin.group("g", never))?.inFlight).toBe(0);
  });

  test("what is released comes back first and in order, counted, and its old receipt is stale", async () => {
    const { session } = await setup();
    const subscription = await member(session, "g");
    await session.publish(messages("a", "b", "c", "d"), fresh);
    const held = await subscription.receive(3, never);
    await subscription.settle(release([...held].reverse()));
    const again = await subscription.receive(10, never);
    expect(again.map(({ message, deliveries }) => `${message.id}${deliveries}`)).toEqual(["a2", "b2", "c2", "d1"]);
    expect(await subscription.settle(ack(held))).toEqual(["stale", "stale", "stale"]);
    expect(await subscription.settle(ack(again))).toBe(undefined);
  });

  test("a move to the inbox comes back to its own group only, not before its delay, as a new copy", async () => {
    const { session, clock } = await setup();
    const [mine, theirs] = [await member(session, "g"), await member(session, "h")];
    await session.publish(messages("a"), fresh);
    const [delivery] = await mine.receive(1, never);
    await theirs.settle(ack(await theirs.receive(1, never)));
    if (delivery === undefined) throw new Error("nothing was received");
    expect(await mine.settle(move(delivery, "inbox", 300, { ...delivery.message, attempt: 2 }))).toBe(undefined);
    expect(await session.admin.group("g", never)).toMatchObject({ waiting: 0, delayed: 1, inFlight: 0 });
    clock.advance(299);
    expect(await now(mine)).toEqual([]);
    clock.advance(1);
    expect((await now(mine)).map(({ message, deliveries }) => [message.id, message.attempt, deliveries])).toEqual([["a", 2, 1]]);
    expect(await now(theirs)).toEqual([]);
  });

  test("with a lease, what is neither settled nor extended goes back, and the old receipt is lost", async () => {
    const { session, clock } = await setup({ leaseMs: 1_000 });
    const subscription = await member(session, "g");
    expect(subscription.lease?.durationMs).toBe(1_000);
    await session.publish(messages("a", "b"), fresh);
    const held = await subscription.receive(2, never);
    clock.advance(600);
    expect(await subscription.lease?.extend([held[1]?.receipt])).toEqual([]);
    clock.advance(600);
    expect((await now(subscription)).map(({ message, deliveries }) => [message.id, deliveries])).toEqual([["a", 2]]);
    expect(await subscription.settle(ack(held.slice(0, 1)))).toEqual(["stale"]);
    clock.advance(399);
    expect(await session.admin.group("g", never)).toMatchObject({ waiting: 0, inFlight: 2 });
    clock.advance(1);
    expect(await session.admin.group("g", never)).toMatchObject({ waiting: 1, inFlight: 1 });
    expect(await subscription.lease?.extend([held[0]?.receipt])).toEqual([held[0]?.receipt]);
  });
});

test("a lease that begins when another one lapses is looked after too, with no command in between", async () => {
  const { session, clock } = await setup({ leaseMs: 1_000 });
  const [first, second] = [await member(session, "g"), await member(session, "g")];
  await session.publish(messages("a"), fresh);
  await first.receive(1, never);
  const [again, third] = [second.receive(1, never), first.receive(1, never)];
  clock.advance(2_000);
  expect([await again, await third].map(([delivery]) => delivery?.deliveries)).toEqual([2, 3]);
});

describe("publishing", () => {
  test("a delayed message reaches groups and live subscriptions when it is due, not before", async () => {
    const { session, clock } = await setup();
    const [group, live] = [await member(session, "g"), await session.subscribe({ patterns: patterns("#"), inFlightMax: 10 }, never)];
    await session.publish([wireMessage("a", { notBeforeMs: clock.nowMs() + 500 })], fresh);
    clock.advance(499);
    expect([await now(group), await now(live)]).toEqual([[], []]);
    clock.advance(1);
    expect([idsOf(await now(group)), idsOf(await now(live))]).toEqual([["a"], ["a"]]);
  });

  test("a repeat within the window is accepted once, another body under its id is refused, and targets are not deduplicated", async () => {
    const { session, clock } = await setup({ dedupMs: 1_000 });
    const subscription = await member(session, "g");
    expect(await session.publish(messages("a"), fresh)).toBe(undefined);
    expect(await session.publish(messages("a", "b", "b"), perhapsRepeated)).toEqual([
      { status: "accepted", duplicate: true },
      { status: "accepted" },
      { status: "accepted", duplicate: true },
    ]);
    expect(codes(await session.publish([wireMessage("a", { body: new Uint8Array([9]) })], perhapsRepeated))).toEqual(["ID_REUSED"]);
    expect(await session.publish([wireMessage("a", { topic: "task.other" })], perhapsRepeated)).toBe(undefined);
    expect(await session.publish(messages("a"), { ...perhapsRepeated, target: { group: "g" } })).toBe(undefined);
    expect(idsOf(await now(subscription))).toEqual(["a", "b", "a", "a"]);
    clock.advance(1_200);
    expect(await session.publish(messages("a"), perhapsRepeated)).toBe(undefined);
  });

  test("a full hub refuses by name with the rest of the batch, takes moves, and accepts again when there is room", async () => {
    const { session } = await setup({ messagesMax: 2 });
    const subscription = await member(session, "g");
    const statuses = await session.publish(messages("a", "b", "c", "d"), fresh);
    expect(codes(statuses)).toEqual(["accepted", "accepted", "BACKPRESSURE", "BACKPRESSURE"]);
    const third = statuses?.[2];
    expect(third?.status === "refused" && third.error.message).toContain("messagesMax");
    expect(await rejection(session.admin.ping(never))).toBe("BACKPRESSURE");
    const held = await subscription.receive(2, never);
    for (const delivery of held) expect(await subscription.settle(move(delivery, delivery.message.id === "a" ? "inbox" : "dead-letters"))).toBe(undefined);
    expect(codes(await session.publish(messages("c"), fresh))).toEqual(["BACKPRESSURE"]);
    expect(await session.deadLetters.purge("g", never)).toBe(1);
    await session.admin.ping(never);
    expect(await session.publish(messages("c"), perhapsRepeated)).toBe(undefined);
    expect(idsOf(await now(subscription))).toEqual(["a", "c"]);
  });

  test("bytes are bounded too, and a body above its own bound is refused for good", async () => {
    const { session } = await setup({ bytesMax: 100, bodyBytesMax: 60 });
    await member(session, "g");
    const big = (id: string, bytes: number): WireMessage => wireMessage(id, { body: new Uint8Array(bytes) });
    const statuses = await session.publish([big("a", 61), big("b", 60), big("c", 60), big("d", 1)], fresh);
    expect(codes(statuses)).toEqual(["PAYLOAD_TOO_LARGE", "accepted", "BACKPRESSURE", "BACKPRESSURE"]);
    const third = statuses?.[2];
    expect(third?.status === "refused" && third.error.message).toContain("bytesMax");
  });

  test("more ids than may be remembered are refused by name", async () => {
    const { session, clock } = await setup({ dedupIdsMax: 2, dedupMs: 1_000 });
    const statuses = await session.publish(messages("a", "b", "c"), fresh);
    expect(codes(statuses)).toEqual(["accepted", "accepted", "BACKPRESSURE"]);
    const third = statuses?.[2];
    expect(third?.status === "refused" && third.error.message).toMatch(/dedupMs.*dedupIdsMax/);
    clock.advance(1_001);
    expect(await session.publish(messages("c"), fresh)).toBe(undefined);
  });

  test("expired messages make way when the hub is full, and that is reported", async () => {
    const { session, host, clock } = await setup({ messagesMax: 2 });
    await member(session, "g");
    const expiring = (id: string, ttlMs: number): WireMessage => wireMessage(id, { expiresAtMs: clock.nowMs() + ttlMs });
    await session.publish([expiring("a", 100), expiring("b", 5_000)], fresh);
    expect(codes(await session.publish(messages("c"), fresh))).toEqual(["BACKPRESSURE"]);
    clock.advance(100);
    expect(await session.publish(messages("c"), fresh)).toBe(undefined);
    expect(host.events).toMatchObject([{ type: "warning", text: expect.stringContaining("1 messages whose ttl") }]);
    expect(codes(await session.publish(messages("d"), fresh))).toEqual(["BACKPRESSURE"]);
    clock.advance(5_000);
    expect(await session.publish(messages("d"), fresh)).toBe(undefined);
  });

  test("a send to a group that does not exist is refused, one to a group reaches it alone", async () => {
    const { session } = await setup();
    const [mine, theirs] = [await member(session, "g"), await member(session, "h")];
    expect(codes(await session.publish(messages("a"), { ...fresh, target: { group: "nobody" } }))).toEqual(["NO_SUCH_GROUP"]);
    expect(await session.publish(messages("b"), { ...fresh, target: { group: "g" } })).toBe(undefined);
    expect([idsOf(await now(mine)), idsOf(await now(theirs))]).toEqual([["b"], []]);
  });
});

describe("live subscriptions", () => {
  test("one that does not keep up misses the oldest, counted, and holds up nobody", async () => {
    const { session, host } = await setup();
    const [slow, quick] = [
      await session.subscribe({ patterns: patterns("#"), inFlightMax: 2 }, never),
      await session.subscribe({ patterns: patterns("#"), inFlightMax: 9 }, never),
    ];
    await session.publish(messages("a", "b", "c", "d", "e"), fresh);
    expect(host.events).toEqual([{ type: "gap", subscription: slow, count: 3 }]);
    expect([idsOf(await now(slow)), idsOf(await now(quick))]).toEqual([
      ["d", "e"],
      ["a", "b", "c", "d", "e"],
    ]);
  });

  test("what it releases comes back, and a move cannot be stored", async () => {
    const { session } = await setup();
    const live = await session.subscribe({ patterns: patterns("#"), inFlightMax: 5 }, never);
    await session.publish(messages("a", "b"), fresh);
    await live.settle(release(await live.receive(2, never)));
    const held = await live.receive(2, never);
    expect(held.map(({ message, deliveries }) => `${message.id}${deliveries}`)).toEqual(["a2", "b2"]);
    const [first] = held;
    if (first === undefined) throw new Error("nothing was received");
    expect(await live.settle(move(first, "dead-letters"))).toEqual(["failed"]);
    expect(await live.settle(ack(held))).toBe(undefined);
  });
});

describe("groups", () => {
  test("a removed group takes what it holds along, keeps its dead letters, and its members stop", async () => {
    const { session } = await setup();
    const subscription = await member(session, "g");
    await session.publish(messages("a", "b", "c"), fresh);
    const [first, second] = await subscription.receive(2, never);
    if (first === undefined || second === undefined) throw new Error("too little was received");
    await subscription.settle(move(first, "dead-letters"));
    await subscription.settle(ack(await subscription.receive(1, never)));
    const pending = subscription.receive(1, never);
    await session.admin.removeGroup("g", never);
    await session.admin.removeGroup("g", never);
    expect([await rejection(pending), await rejection(subscription.receive(1, never))]).toEqual(["GROUP_REMOVED", "GROUP_REMOVED"]);
    expect(await subscription.settle(ack([second]))).toEqual(["stale"]);
    await subscription.close();
    expect([await session.admin.group("g", never), await session.deadLetters.count("g", never)]).toEqual([undefined, 1]);
    expect(await session.publish(messages("d"), fresh)).toBe(undefined);
  });

  test("patterns are added and dropped, and purge removes what waits but not what is delayed or in flight", async () => {
    const { session, clock } = await setup();
    await session.admin.defineGroup("g", { add: patterns("task.*", "news.#"), drop: [] }, never);
    await session.admin.defineGroup("g", { add: [], drop: patterns("task.*") }, never);
    await session.publish([wireMessage("a"), wireMessage("b", { topic: "news.today" }), wireMessage("c", { topic: "news" })], fresh);
    await session.publish([wireMessage("d", { topic: "news", notBeforeMs: clock.nowMs() + 50 })], fresh);
    const subscription = await session.subscribe(groupRequest("g", {}, 5, ["news.#"]), never);
    expect(idsOf(await subscription.receive(1, never))).toEqual(["b"]);
    expect(await session.admin.groups(never)).toEqual([{ name: "g", patterns: ["news.#"], waiting: 1, delayed: 1, inFlight: 1, members: 1 }]);
    expect(await session.admin.purgeGroup("g", never)).toBe(1);
    expect(await session.admin.group("g", never)).toMatchObject({ waiting: 0, delayed: 1, inFlight: 1 });
  });

  test("a group without members goes after its idle time, unless somebody was there in between", async () => {
    const { session, host, clock } = await setup();
    await (await member(session, "g", { idleExpiryMs: 1_000 })).close();
    clock.advance(600);
    await (await member(session, "g")).close();
    clock.advance(600);
    await session.publish(messages("a"), fresh);
    expect(await session.admin.group("g", never)).toMatchObject({ waiting: 1 });
    clock.advance(400);
    expect(await session.admin.group("g", never)).toBe(undefined);
    expect(host.events).toMatchObject([{ type: "warning", text: expect.stringContaining("with 1 messages") }]);
    expect(clock.timers.size).toBe(0);
  });

  test("a new group starts from history where it asks to, an existing one does not", async () => {
    const { session } = await setup();
    await session.publish([wireMessage("a", { timeMs: 100 }), wireMessage("b", { timeMs: 200 }), wireMessage("c", { timeMs: 300 })], fresh);
    expect(idsOf(await now(await member(session, "g", { from: "earliest" })))).toEqual(["a", "b", "c"]);
    expect(idsOf(await now(await member(session, "h", { from: { timeMs: 200 } })))).toEqual(["b", "c"]);
    expect(idsOf(await now(await member(session, "h", { from: "earliest" })))).toEqual([]);
    expect(await session.admin.topics(never)).toEqual([{ topic: "task.new", stored: 3 }]);
  });

  test("without history there is none, and no group can start from it", async () => {
    const { session } = await setup({ history: false });
    expect([session.history, session.capabilities.startsAt]).toEqual([undefined, { earliest: false, time: false }]);
    expect(await rejection(session.subscribe(groupRequest("g", { from: "earliest" }), never))).toBe("UNSUPPORTED");
    expect([await session.admin.group("g", never), await session.admin.topics(never)]).toEqual([undefined, undefined]);
  });
});

describe("dead letters", () => {
  async function withLetters(...ids: string[]): Promise<Setup & { subscription: BackendSubscription }> {
    const made = await setup();
    const subscription = await member(made.session, "g");
    await made.session.publish(messages(...ids), { ...fresh, target: { deadLetters: "g" } });
    return { ...made, subscription };
  }

  const everything = { pageMax: 2, signal: never };
  async function listed(session: Session): Promise<string[][]> {
    const pages: string[][] = [];
    await session.deadLetters.walk("g", everything, async (page) => {
      pages.push(page.map(({ id }) => id));
      return [];
    });
    return pages;
  }

  test("they are walked oldest first in pages, and looking uses nothing up", async () => {
    const { session } = await withLetters("a", "b", "c");
    expect(await listed(session)).toEqual([["a", "b"], ["c"]]);
    expect(await listed(session)).toEqual([["a", "b"], ["c"]]);
    expect(await session.deadLetters.count("g", never)).toBe(3);
    expect(await session.deadLetters.count("nobody", never)).toBe(0);
  });

  test("verdicts remove and redrive into the group, and what comes back dead during the walk does not prolong it", async () => {
    const { session, subscription } = await withLetters("a", "b", "c");
    await session.deadLetters.walk("g", everything, async (page) => {
      await session.publish(messages(`new-${page[0]?.id}`), { ...fresh, target: { deadLetters: "g" } });
      return page.map((message) => (message.id === "a" ? "remove" : message.id === "b" ? { redrive: { ...message, attempt: 1 } } : "keep"));
    });
    expect(await listed(session)).toEqual([["c", "new-a"], ["new-c"]]);
    expect(idsOf(await now(subscription))).toEqual(["b"]);
  });

  test("one id is one letter for the count, also where it is there twice", async () => {
    const { session } = await withLetters("a", "a", "b");
    expect(await session.deadLetters.count("g", never)).toBe(2);
    await session.deadLetters.walk("g", everything, async (page) => (page.length === 2 ? ["remove"] : []));
    expect(await session.deadLetters.count("g", never)).toBe(2);
    expect(await session.deadLetters.purge("g", never)).toBe(2);
    expect(await listed(session)).toEqual([]);
  });

  test("one walk a group at a time; one that throws, stops, is aborted or loses its session changes nothing and frees the group", async () => {
    const { session, other } = await withLetters("a", "b");
    const endless = (): Promise<never> => new Promise(() => undefined);
    const lost = session.deadLetters.walk("g", everything, endless);
    expect(await rejection(other.deadLetters.walk("g", everything, endless))).toBe("BUSY");
    await session.close();
    expect(await rejection(lost)).toBe("CONNECTION_LOST");
    const abort = new AbortController();
    const aborted = other.deadLetters.walk("g", { pageMax: 1, signal: abort.signal }, endless);
    abort.abort();
    expect(await rejection(aborted)).toBe("ABORTED");
    const failure = new Error("no");
    expect(await rejection(other.deadLetters.walk("g", everything, async () => Promise.reject(failure)))).toBe(failure);
    const throwing = other.deadLetters.walk("g", everything, () => {
      throw failure;
    });
    expect(await rejection(throwing)).toBe(failure);
    await other.deadLetters.walk("g", everything, async () => "stop");
    expect(await listed(other)).toEqual([["a", "b"]]);
  });

  test("a letter of a group that is gone cannot be redriven and stays", async () => {
    const { session } = await withLetters("a");
    await session.admin.removeGroup("g", never);
    const walk = session.deadLetters.walk("g", everything, async (page) => page.map((message) => ({ redrive: message })));
    expect(await rejection(walk)).toBe("NO_SUCH_GROUP");
    expect(await listed(session)).toEqual([["a"]]);
  });
});

describe("history", () => {
  test("it is read by position and id, and a publish tells its position where asked", async () => {
    const { session } = await setup();
    const statuses = await session.publish(messages("a", "b"), { ...fresh, positions: true });
    expect(statuses).toEqual([
      { status: "accepted", position: "1" },
      { status: "accepted", position: "2" },
    ]);
    const read = (from: "start" | { after: string }) => session.history?.read({ patterns: patterns("#"), from, limit: 1, signal: never });
    expect((await read({ after: "1" }))?.messages[0]?.message.id).toBe("b");
    expect((await read("start"))?.end).toBe(false);
    expect((await session.history?.byId?.(["b", "z"], never))?.map((stored) => stored?.position)).toEqual(["2", undefined]);
    expect(await rejection(read({ after: "1; drop" }) ?? Promise.resolve())).toBe("INVALID_OPTIONS");
  });
});
