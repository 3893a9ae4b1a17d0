import { expect, test, vi } from "vitest";
import { HalyardError } from "../src/errors.ts";
import { type Message, ownHeaders } from "../src/message.ts";
import type { SettleStatus } from "../src/spi/message.ts";
import { type Deferred, deferred } from "../src/waiting.ts";
import { delivery, FakeBackend, FakeSession, fakeCapabilities } from "./fake-backend.ts";
import { type FakeBus, fakeBus } from "./fake-bus.ts";
import { quiet } from "./manual-clock.ts";

/** A handler that runs until the test ends each run. */
class Runs {
  readonly started: string[] = [];
  readonly aborted: string[] = [];
  readonly #open = new Map<string, Deferred<void>>();

  readonly handle = ({ id }: Message, context: { readonly signal: AbortSignal }): Promise<void> => {
    this.started.push(id);
    context.signal.addEventListener("abort", () => this.aborted.push(`${id}:${(context.signal.reason as HalyardError).code}`));
    const run = deferred<void>();
    this.#open.set(id, run);
    return run.promise;
  };

  async end(...ids: string[]): Promise<void> {
    for (const id of ids) this.#open.get(id)?.resolve();
    await quiet();
  }

  async fail(id: string, error: unknown = new Error("failed")): Promise<void> {
    this.#open.get(id)?.reject(error);
    await quiet();
  }
}

async function lostAndBack({ backend, clock }: FakeBus): Promise<void> {
  backend.session.lose();
  await quiet();
  await clock.advance(1_000);
}

test("runs as many handlers as concurrency says, and holds no more than inFlightMax", async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", concurrency: 2, inFlightMax: 5 }, runs.handle);
  for (let index = 0; index < 9; index++) backend.subscription.deliver(delivery(`m${index}`));
  await quiet();
  expect(runs.started).toEqual(["m0", "m1"]);
  expect(subscription.stats()).toMatchObject({ inFlight: 5, running: 2, waiting: 3, received: 5 });
  expect(backend.subscription.untaken).toBe(4);
  await runs.end("m0");
  expect(runs.started).toEqual(["m0", "m1", "m2"]);
  expect(subscription.stats()).toMatchObject({ inFlight: 5, running: 2, handled: 1 });
  expect(backend.subscription.outcomes).toEqual(["m0:ack"]);
});

test("a group begins with a credit of 1 and opens up with the first delivery; live begins with all", async () => {
  const { bus, backend } = await fakeBus();
  await bus.subscribe("#", { group: "g", inFlightMax: 10 }, () => undefined);
  const group = backend.subscription;
  expect([group.credits, group.asked]).toEqual([[1], [1]]);
  group.deliver(delivery("m1"));
  await quiet();
  expect([group.credits, group.asked]).toEqual([
    [1, 10],
    [1, 10],
  ]);
  await bus.subscribe("#", () => undefined);
  expect([backend.subscription.credits, backend.subscription.asked]).toEqual([[1_000], [1_000]]);
});

test("where the broker does not count deliveries, a group has all its credit at once", async () => {
  const backend = new FakeBackend();
  backend.capabilities = { ...fakeCapabilities, countsDeliveries: false };
  const { bus } = await fakeBus({}, backend);
  await bus.subscribe("#", { group: "g", inFlightMax: 10 }, () => undefined);
  expect(backend.subscription.credits).toEqual([10]);
});

test("within the window the higher priority goes first", async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  await bus.subscribe("#", { inFlightMax: 10 }, runs.handle);
  backend.subscription.deliver(delivery("first"), delivery("low", { priority: 0 }), delivery("high", { priority: 9 }), delivery("normal"));
  await quiet();
  for (const id of ["high", "first", "normal", "low"]) await runs.end(id);
  expect(runs.started).toEqual(["high", "first", "normal", "low"]);
});

test("ordered: one of a key at a time until it is settled, other keys flow", async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  await bus.subscribe("#", { group: "g", concurrency: 4, inFlightMax: 10, ordered: true }, runs.handle);
  backend.subscription.deliver(delivery("open"));
  await quiet();
  await runs.end("open");
  const settling = deferred<void>();
  backend.subscription.onSettle = async () => {
    await settling.promise;
    return undefined;
  };
  backend.subscription.deliver(delivery("k1", { key: "k" }), delivery("k2", { key: "k" }), delivery("l1", { key: "l" }), delivery("none"));
  await quiet();
  expect(runs.started.slice(1)).toEqual(["k1", "l1", "none"]);
  await runs.end("k1");
  expect(runs.started).not.toContain("k2"); // handled, but not settled yet
  settling.resolve();
  await quiet();
  expect(runs.started).toContain("k2");
});

test("ordered: a failure is tried again in place, its key waits, other keys flow, and the key goes on afterwards", async () => {
  const { bus, backend, clock } = await fakeBus();
  const attempts: string[] = [];
  await bus.subscribe("#", { group: "g", concurrency: 4, inFlightMax: 10, ordered: true, retry: { delayMs: 1_000, jitter: 0 } }, ({ id }, { attempt }) => {
    attempts.push(`${id}/${attempt}`);
    if (id === "k1" && attempt === 1) throw new Error("once");
  });
  backend.subscription.deliver(delivery("open"));
  await quiet();
  backend.subscription.deliver(delivery("k1", { key: "k" }), delivery("k2", { key: "k" }), delivery("l1", { key: "l" }));
  await clock.advance(999);
  expect(attempts).toEqual(["open/1", "k1/1", "l1/1"]);
  await clock.advance(1);
  expect(attempts.slice(3)).toEqual(["k1/2", "k2/1"]);
  expect(backend.subscription.outcomes).toEqual(["open:ack", "l1:ack", "k1:ack", "k2:ack"]);
});

test("ordered: giving back what waits for a key does not let the next of the key pass the one that runs", async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", concurrency: 4, inFlightMax: 10, ordered: true }, runs.handle);
  backend.subscription.deliver(delivery("open"));
  await quiet();
  await runs.end("open");
  backend.subscription.deliver(delivery("k1", { key: "k" }), delivery("k2", { key: "k" }));
  await quiet();
  subscription.pause();
  await quiet();
  expect(backend.subscription.outcomes).toContain("k2:release");
  subscription.resume();
  backend.subscription.deliver(delivery("k2", { key: "k" }, 2));
  await quiet();
  expect(runs.started).toEqual(["open", "k1"]);
  await runs.end("k1");
  expect(runs.started).toEqual(["open", "k1", "k2"]);
});

test("a pause gives back what has not started and takes nothing more; resume goes on", async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", inFlightMax: 3 }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  backend.subscription.deliver(delivery("m1"), delivery("m2"), delivery("m3"));
  await quiet();
  subscription.pause();
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["m1:release", "m2:release"]);
  expect(backend.subscription.credits.at(-1)).toBe(0);
  await runs.end("m0");
  expect(runs.started).toEqual(["m0"]);
  expect(backend.subscription.untaken).toBe(1);
  subscription.resume();
  await quiet();
  expect(backend.subscription.credits.at(-1)).toBe(3);
  expect(runs.started).toEqual(["m0", "m3"]);
  expect(subscription.stats()).toMatchObject({ released: 2, handled: 1 });
});

test("a live pause keeps its copies, for nobody else has them", async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", runs.handle);
  backend.subscription.deliver(delivery("m0"), delivery("m1"));
  await quiet();
  subscription.pause();
  await runs.end("m0");
  expect(backend.subscription.outcomes).toEqual(["m0:ack"]);
  subscription.resume();
  await quiet();
  expect(runs.started).toEqual(["m0", "m1"]);
});

test("a group that is paused asks a new session for nothing, not even for one", async () => {
  const fake = await fakeBus();
  const subscription = await fake.bus.subscribe("#", { group: "g", inFlightMax: 3 }, () => undefined);
  subscription.pause();
  await lostAndBack(fake);
  expect(subscription.state).toBe("connected");
  expect(fake.backend.subscription.credits).toEqual([0]);
  subscription.resume();
  await quiet();
  expect(fake.backend.subscription.credits).toEqual([0, 1]);
});

test("close stops receiving, waits for what runs, gives back the rest, settles it all and leaves", async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", inFlightMax: 3 }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  backend.subscription.deliver(delivery("m1"), delivery("m2"));
  await quiet();
  let isClosed = false;
  const closing = subscription.close().then(() => {
    isClosed = true;
  });
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["m1:release", "m2:release"]);
  expect(isClosed).toBe(false);
  await runs.end("m0");
  await closing;
  expect(backend.subscription.outcomes).toEqual(["m1:release", "m2:release", "m0:ack"]);
  expect(backend.subscription.isClosed).toBe(true);
  expect(subscription.state).toBe("closed");
  expect(await subscription.ended).toBeUndefined();
});

test("close gives up on handlers at its deadline: their signal aborts, and their late end settles nothing", async () => {
  const { bus, backend, clock, events } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g" }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  const closing = subscription.close({ timeoutMs: 500 });
  await clock.advance(499);
  expect(runs.aborted).toEqual([]);
  await clock.advance(1_000);
  await closing;
  expect(runs.aborted).toEqual(["m0:CLOSED"]);
  expect(backend.subscription.isClosed).toBe(true);
  expect(events).toContain("warning");
  await runs.end("m0");
  expect(backend.subscription.outcomes).toEqual([]);
});

test("close gives back what would be tried again in place, before and after it is called", async () => {
  const { bus, backend } = await fakeBus({ retry: { delayMs: 1_000, jitter: 0 } });
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", ordered: true, concurrency: 3, inFlightMax: 3 }, runs.handle);
  backend.subscription.deliver(delivery("open"));
  await quiet();
  await runs.end("open");
  backend.subscription.deliver(delivery("before", { key: "k" }), delivery("after", { key: "l" }));
  await quiet();
  await runs.fail("before");
  const closing = subscription.close();
  await runs.fail("after");
  await closing;
  expect(backend.subscription.outcomes).toEqual(["open:ack", "before:release", "after:release"]);
});

test("closing while the first session is still awaited ends the call to subscribe", async () => {
  const { bus, backend } = await fakeBus();
  let come: () => void = () => undefined;
  backend.session.onSubscribe = () => new Promise<void>((resolve) => (come = resolve));
  const subscribing = bus.subscribe("#", { group: "g" }, () => undefined);
  const failure = subscribing.catch((error: HalyardError) => error.code);
  await quiet();
  await bus.close();
  expect(await failure).toMatch(/CLOSED|ABORTED/);
  come();
  await quiet();
});

test("a subscription of the backend that comes after its deadline is closed, and asked for again", async () => {
  const { bus, backend, clock } = await fakeBus({ limits: { requestTimeoutMs: 1_000 } });
  const { session } = backend;
  let come: () => void = () => undefined;
  session.onSubscribe = () => new Promise<void>((resolve) => (come = resolve));
  const subscribing = bus.subscribe("#", { group: "g" }, () => undefined);
  await clock.advance(1_000);
  session.onSubscribe = undefined;
  come();
  await clock.advance(1_000);
  await subscribing;
  expect(session.subscriptions.map(({ isClosed }) => isClosed)).toEqual([true, false]);
});

test("suspects are isolated: what has not started goes back, and they come one at a time", async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  await bus.subscribe("#", { group: "g", concurrency: 3, inFlightMax: 10 }, runs.handle);
  backend.subscription.deliver(delivery("open"));
  await quiet();
  backend.subscription.deliver(delivery("s1", {}, 4), delivery("s2", {}, 4), delivery("fresh"));
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["s1:release", "s2:release", "fresh:release"]);
  expect(backend.subscription.credits.at(-1)).toBe(1);
  await runs.end("open");
  const trial = { headers: { [ownHeaders.trials]: "1" } };
  backend.subscription.deliver(delivery("s1", trial));
  backend.subscription.deliver(delivery("s2", trial));
  await quiet();
  expect(runs.started).toEqual(["open", "s1"]);
  expect(backend.subscription.untaken).toBe(1);
  await runs.end("s1");
  await runs.end("s2");
  backend.subscription.deliver(delivery("fresh", {}, 2));
  await quiet();
  expect(runs.started).toEqual(["open", "s1", "s2", "fresh"]);
  expect(backend.subscription.credits.at(-1)).toBe(10);
});

test("a message between two runs in place is not given back for a suspect behind it: it keeps its attempt, its delay and its place", async () => {
  const { bus, backend, clock } = await fakeBus({ retry: { delayMs: 1_000, jitter: 0 } });
  const runs = new Runs();
  await bus.subscribe("#", { group: "g", ordered: true, concurrency: 3, inFlightMax: 10 }, runs.handle);
  backend.subscription.deliver(delivery("failing", { key: "k" }));
  await quiet();
  await runs.fail("failing");
  backend.subscription.deliver(delivery("suspect", { key: "l" }, 4), delivery("next", { key: "k" }));
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["suspect:release", "next:release"]);
  await clock.advance(1_000);
  expect(runs.started).toEqual(["failing", "failing"]);
  await runs.end("failing");
  expect(backend.subscription.outcomes.at(-1)).toBe("failing:ack");
});

test("a suspect is tried alone, each trial written down first; the fourth is refused without running", async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", inFlightMax: 10 }, runs.handle);
  let { message } = delivery("m");
  const give = async (deliveries: number): Promise<string> => {
    const before = backend.subscription.settled.length;
    backend.subscription.deliver({ message, deliveries, receipt: "m" });
    await quiet();
    const { outcome } = backend.subscription.settled[before] ?? {};
    if (outcome?.type !== "move") return outcome?.type ?? "runs";
    message = outcome.message;
    return outcome.to;
  };
  expect(await give(4)).toBe("inbox");
  expect(message.headers[ownHeaders.trials]).toBe("1");
  for (const trials of ["2", "3"]) {
    expect(await give(2)).toBe("inbox"); // its copy was handed over before, and whoever had it died
    expect(message.headers[ownHeaders.trials]).toBe(trials);
  }
  expect(await give(2)).toBe("dead-letters");
  expect(message.headers).toMatchObject({ [ownHeaders.deadReason]: "crashed", [ownHeaders.deadAttempts]: "0" });
  expect(runs.started).toEqual([]);
  expect(subscription.stats()).toMatchObject({ deadLettered: 1, failed: 0 });
});

test("a trial is repeated, not counted, where this process has lost its own connection since it was written", async () => {
  const fake = await fakeBus();
  const { bus, backend, clock } = fake;
  await bus.subscribe("#", { group: "g" }, () => expect.fail("it is never tried here"));
  let { message } = delivery("m");
  const nextTrial = async (deliveries: number): Promise<string | undefined> => {
    const before = backend.subscription.settled.length;
    backend.subscription.deliver({ message, deliveries, receipt: "m" });
    await quiet();
    const { outcome } = backend.subscription.settled[before] ?? {};
    if (outcome?.type === "move") ({ message } = outcome);
    await clock.advance(10);
    return message.headers[ownHeaders.trials];
  };
  expect(await nextTrial(4)).toBe("1");
  await lostAndBack(fake);
  expect(await nextTrial(2)).toBe("1");
  expect(await nextTrial(2)).toBe("2");
  await lostAndBack(fake);
  expect(await nextTrial(2)).toBe("2");
  expect(await nextTrial(2)).toBe("3");
  expect(message.headers[ownHeaders.deadReason]).toBeUndefined();
});

test("a suspect that is tried and fails is no suspect any more", async () => {
  const { bus, backend } = await fakeBus();
  await bus.subscribe("#", { group: "g" }, () => Promise.reject(new Error("no")));
  backend.subscription.deliver(delivery("m", { headers: { [ownHeaders.trials]: "2" } }));
  await quiet();
  const { outcome } = backend.subscription.settled[0] ?? {};
  expect(outcome).toMatchObject({ type: "move", to: "inbox", message: { attempt: 2 } });
  expect(outcome?.type === "move" && outcome.message.headers[ownHeaders.trials]).toBeUndefined();
});

test("what this process gave back unstarted is no crash, however often", async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", inFlightMax: 10 }, runs.handle);
  for (let deliveries = 1; deliveries <= 8; deliveries++) {
    backend.subscription.deliver(delivery(`busy${deliveries}`));
    await quiet();
    backend.subscription.deliver(delivery("m", {}, deliveries));
    await quiet();
    subscription.pause();
    await quiet();
    subscription.resume();
    await runs.end(`busy${deliveries}`);
  }
  expect(backend.subscription.outcomes.filter((outcome) => outcome === "m:release")).toHaveLength(8);
  backend.subscription.deliver(delivery("m", {}, 9));
  await quiet();
  expect(runs.started).toContain("m");
});

test("hand-overs that ended with a lost connection are no crash of this process", async () => {
  const fake = await fakeBus();
  const runs = new Runs();
  await fake.bus.subscribe("#", { group: "g", concurrency: 20 }, runs.handle);
  for (let deliveries = 1; deliveries <= 8; deliveries++) {
    fake.backend.subscription.deliver(delivery("m", {}, deliveries));
    await quiet();
    await lostAndBack(fake);
  }
  expect(runs.started).toHaveLength(8);
});

test("hand-overs that ended with a connection that a handler's own standstill broke count like deaths", async () => {
  const fake = await fakeBus();
  const { bus, backend, clock } = fake;
  const runs = new Runs();
  await bus.subscribe("#", { group: "g", concurrency: 20 }, (message, context) => {
    clock.stall(5_000);
    return runs.handle(message, context);
  });
  for (let deliveries = 1; deliveries <= 4; deliveries++) {
    backend.subscription.deliver(delivery("m", {}, deliveries));
    await quiet();
    if (deliveries <= 3) await lostAndBack(fake);
  }
  expect(runs.started).toHaveLength(3);
  expect(backend.subscription.outcomes).toEqual(["m:inbox"]);
});

test("after a loss a group drops what it held, its handlers are told, and what they say is not settled", async () => {
  const fake = await fakeBus();
  const { bus, backend } = fake;
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", inFlightMax: 3 }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  backend.subscription.deliver(delivery("m1"));
  await quiet();
  const old = backend.subscription;
  await lostAndBack(fake);
  expect(runs.aborted).toEqual(["m0:LEASE_LOST"]);
  expect(subscription.stats()).toMatchObject({ inFlight: 0, waiting: 0, running: 1 });
  await runs.end("m0");
  expect(runs.started).toEqual(["m0"]);
  expect([old.outcomes, backend.subscription.outcomes]).toEqual([[], []]);
  backend.subscription.deliver(delivery("m0", {}, 2), delivery("m1", {}, 2));
  await quiet();
  await runs.end("m0");
  await runs.end("m1");
  expect(backend.subscription.outcomes).toEqual(["m0:ack", "m1:ack"]);
});

test("a handler that hangs through a lost connection is timed out all the same, and the subscription goes on", async () => {
  const fake = await fakeBus();
  const { bus, backend, clock } = fake;
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", handlerTimeoutMs: 10_000 }, runs.handle);
  backend.subscription.deliver(delivery("hangs"));
  await quiet();
  await lostAndBack(fake);
  backend.subscription.deliver(delivery("next"));
  await clock.advance(10_100);
  expect(runs.started).toEqual(["hangs", "next"]);
  expect(subscription.stats()).toMatchObject({ timedOut: 1, running: 1 });
  expect(backend.subscription.outcomes).toEqual([]);
  await runs.end("hangs", "next");
  expect(backend.subscription.outcomes).toEqual(["next:ack"]);
});

test("a live subscription keeps what it holds across a reconnect, and reports the gap", async () => {
  const fake = await fakeBus();
  const { bus, backend, events } = fake;
  const runs = new Runs();
  const subscription = await bus.subscribe("#", runs.handle);
  backend.subscription.deliver(delivery("m0"), delivery("m1"));
  await quiet();
  expect(events).not.toContain("gap");
  await lostAndBack(fake);
  expect(events.filter((name) => name === "gap")).toHaveLength(1);
  expect(runs.aborted).toEqual([]);
  await runs.end("m0");
  await runs.end("m1");
  expect(runs.started).toEqual(["m0", "m1"]);
  expect(subscription.stats()).toMatchObject({ handled: 2, inFlight: 0 });
});

test("a subscription without room notices that the session has ended", async () => {
  const fake = await fakeBus();
  const runs = new Runs();
  const subscription = await fake.bus.subscribe("#", { group: "g", inFlightMax: 1 }, runs.handle);
  fake.backend.subscription.deliver(delivery("m0"));
  await quiet();
  await lostAndBack(fake);
  expect(subscription.state).toBe("connected");
  expect(fake.backend.session.subscriptions).toHaveLength(1);
});

test("a removed group stops the subscription with an event; nothing asks for it again", async () => {
  const fake = await fakeBus();
  const { bus, backend, events, clock } = fake;
  const subscription = await bus.subscribe("#", { group: "g" }, () => undefined);
  backend.subscription.fail(new HalyardError("GROUP_REMOVED", "The group was removed."));
  await quiet();
  expect(await subscription.ended).toMatchObject({ code: "GROUP_REMOVED" });
  expect(subscription.state).toBe("closed");
  expect(events).toContain("subscription-stop");
  await clock.advance(60_000);
  expect(backend.session.subscriptions).toHaveLength(1);
  await subscription.close();
  // The group's patterns are free again on this bus.
  await bus.subscribe("other", { group: "g" }, () => undefined);
});

test("what a subscription relies on is asked of every session: a weaker one stops it", async () => {
  const fake = await fakeBus();
  const subscription = await fake.bus.subscribe("#", { group: "g", exclusive: true }, () => undefined);
  fake.backend.capabilities = { ...fakeCapabilities, exclusive: false };
  await lostAndBack(fake);
  expect(await subscription.ended).toMatchObject({ code: "UNSUPPORTED" });
  await expect(fake.bus.subscribe("#", { group: "h", exclusive: true }, () => undefined)).rejects.toMatchObject({ code: "UNSUPPORTED" });
});

test("where only the subscription fails, its session lives on, and the old half is closed before the new one", async () => {
  const { bus, backend, clock } = await fakeBus();
  await bus.subscribe("#", { group: "g" }, () => undefined);
  backend.subscription.fail(new HalyardError("BACKEND_FAILED", "The queue hiccuped."));
  await clock.advance(1_000);
  expect(backend.sessions).toHaveLength(1);
  expect(backend.session.subscriptions.map(({ isClosed }) => isClosed)).toEqual([true, false]);
});

test("a settlement that a lost session never answers holds nothing up: its key goes on when the message comes again", async () => {
  const fake = await fakeBus();
  const { bus, backend } = fake;
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", ordered: true, concurrency: 2 }, runs.handle);
  backend.subscription.onSettle = () => new Promise(() => undefined);
  backend.subscription.deliver(delivery("m0", { key: "k" }));
  await quiet();
  await runs.end("m0");
  await lostAndBack(fake);
  expect(subscription.stats().inFlight).toBe(0);
  backend.subscription.deliver(delivery("m0", { key: "k" }, 2));
  await quiet();
  await runs.end("m0");
  expect([runs.started, backend.subscription.outcomes]).toEqual([["m0", "m0"], ["m0:ack"]]);
});

test("where a living session rejects a settlement, what is held is given back, and the subscription comes back after a pause", async () => {
  const { bus, backend, clock } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", concurrency: 2 }, runs.handle);
  backend.subscription.onSettle = () => Promise.reject(new HalyardError("BACKEND_FAILED", "too many at once"));
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  await runs.end("m0");
  expect(backend.session.subscriptions.map(({ isClosed }) => isClosed)).toEqual([true]);
  await clock.advance(5_000);
  expect(backend.sessions).toHaveLength(1);
  expect(backend.session.subscriptions.map(({ isClosed }) => isClosed)).toEqual([true, false]);
  backend.subscription.deliver(delivery("m0", {}, 2));
  await quiet();
  await runs.end("m0");
  expect([backend.subscription.outcomes, subscription.stats().inFlight]).toEqual([["m0:ack"], 0]);
});

test("a subscribe that keeps failing is asked for less and less often, and warned about", async () => {
  const { bus, backend, clock, events } = await fakeBus();
  const { session } = backend;
  let calls = 0;
  session.onSubscribe = async () => {
    calls++;
    throw new Error("not now");
  };
  const subscribing = bus.subscribe("#", { group: "g" }, () => undefined);
  await clock.advance(60_000);
  expect(calls).toBeGreaterThan(10);
  expect(calls).toBeLessThan(60);
  expect(events).toContain("warning");
  session.onSubscribe = undefined;
  await clock.advance(5_000);
  await subscribing;
});

test("a handler that hangs is given up: its signal aborts, the message is retried, its late end changes nothing", async () => {
  const { bus, backend, clock, events } = await fakeBus({ retry: { delayMs: 100, jitter: 0 } });
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", handlerTimeoutMs: 1_000 }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await clock.advance(999);
  expect(runs.aborted).toEqual([]);
  await clock.advance(51);
  expect(runs.aborted).toEqual(["m0:HANDLER_TIMEOUT"]);
  expect(backend.subscription.settled).toMatchObject([{ outcome: { type: "move", to: "inbox", delayMs: 100, message: { attempt: 2 } } }]);
  await runs.end("m0");
  expect(backend.subscription.outcomes).toEqual(["m0:inbox"]);
  expect(subscription.stats()).toMatchObject({ failed: 1, timedOut: 1, handled: 0, retried: 1, running: 0, inFlight: 0 });
  expect(events.filter((name) => name === "handler-failure" || name === "retry")).toEqual(["handler-failure", "retry"]);
});

test("ordered: a hung run is replaced in place, and its late end does not end the next run", async () => {
  const { bus, backend, clock } = await fakeBus({ retry: { delayMs: 100, jitter: 0 } });
  const ends: Deferred<void>[] = [];
  const attempts: number[] = [];
  await bus.subscribe("#", { group: "g", handlerTimeoutMs: 1_000, ordered: true }, (_, { attempt }) => {
    attempts.push(attempt);
    const end = deferred<void>();
    ends.push(end);
    return end.promise;
  });
  backend.subscription.deliver(delivery("m0", { key: "k" }));
  await clock.advance(1_200);
  expect(attempts).toEqual([1, 2]);
  ends[0]?.resolve();
  await quiet();
  expect(backend.subscription.outcomes).toEqual([]);
  ends[1]?.resolve();
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["m0:ack"]);
  backend.subscription.deliver(delivery("m1", { key: "k" }));
  await quiet();
  expect(attempts).toEqual([1, 2, 1]);
});

test("the broker's own limit on handlers wins where it is lower", async () => {
  const backend = new FakeBackend();
  backend.capabilities = { ...fakeCapabilities, handlerMsMax: 500 };
  const { bus, clock } = await fakeBus({}, backend);
  const runs = new Runs();
  await bus.subscribe("#", { group: "g" }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await clock.advance(550);
  expect(runs.aborted).toEqual(["m0:HANDLER_TIMEOUT"]);
});

test("what has waited too long for the broker's limit goes back untried, while there is time for a whole run", async () => {
  const backend = new FakeBackend();
  backend.capabilities = { ...fakeCapabilities, handlerMsMax: 10_000 };
  const { bus, clock } = await fakeBus({}, backend);
  const runs = new Runs();
  await bus.subscribe("#", { group: "g", concurrency: 1, inFlightMax: 10, handlerTimeoutMs: 6_000 }, runs.handle);
  for (const id of ["m0", "m1", "m2"]) backend.subscription.deliver(delivery(id));
  await clock.advance(3_900);
  expect(backend.subscription.outcomes).toEqual([]);
  await clock.advance(200);
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["m1:release", "m2:release"]);
  await runs.end("m0");
  expect(backend.subscription.outcomes).toEqual(["m1:release", "m2:release", "m0:ack"]);
  expect(runs.started).toEqual(["m0"]);
});

test('ack: "received" settles before the handler ends, once, and never retries', async () => {
  const { bus, backend, events } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", ack: "received" }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["m0:ack"]);
  await runs.fail("m0");
  expect(backend.subscription.outcomes).toEqual(["m0:ack"]);
  expect(subscription.stats()).toMatchObject({ failed: 1, retried: 0, deadLettered: 0, inFlight: 0, running: 0 });
  expect(events).toContain("message-drop");
});

test('ack: "received" runs nothing before it is settled, nor what could not be settled', async () => {
  const { bus, backend } = await fakeBus();
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", ack: "received", concurrency: 2 }, runs.handle);
  let answer: (statuses: readonly SettleStatus[]) => void = () => undefined;
  backend.subscription.onSettle = () =>
    new Promise((resolve) => {
      answer = resolve;
    });
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  expect(runs.started).toEqual([]);
  answer(["done"]);
  await quiet();
  expect(runs.started).toEqual(["m0"]);
  backend.subscription.deliver(delivery("m1"));
  await quiet();
  answer(["stale"]);
  await quiet();
  expect(runs.started).toEqual(["m0"]);
  expect(subscription.stats()).toMatchObject({ running: 1, stale: 1 });
  await runs.end("m0");
});

test("a lease is extended while a handler runs; a lost one aborts it and is not settled", async () => {
  const backend = new FakeBackend();
  const { bus, clock, events } = await fakeBus({}, backend);
  const extended: unknown[][] = [];
  let lost: unknown[] = [];
  backend.session.lease = {
    durationMs: 3_000,
    extend: async (receipts) => {
      extended.push([...receipts]);
      return lost;
    },
  };
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", inFlightMax: 5 }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  backend.subscription.deliver(delivery("m1"));
  await clock.advance(10_000);
  expect(extended.length).toBeGreaterThanOrEqual(9);
  expect(extended.at(-1)?.sort()).toEqual(["m0", "m1"]);
  expect(runs.aborted).toEqual([]);
  lost = ["m0"];
  await clock.advance(1_100);
  expect(runs.aborted).toEqual(["m0:LEASE_LOST"]);
  await runs.end("m0");
  await runs.end("m1");
  expect(backend.subscription.outcomes).toEqual(["m1:ack"]);
  expect(subscription.stats()).toMatchObject({ leasesLost: 1 });
  expect(events).toContain("lease-loss");
});

test("what lost its lease while it waited for a handler is not run: somebody else may have it", async () => {
  const backend = new FakeBackend();
  const { bus, clock } = await fakeBus({}, backend);
  let lost: unknown[] = [];
  backend.session.lease = { durationMs: 3_000, extend: async () => lost };
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g", inFlightMax: 3 }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  backend.subscription.deliver(delivery("m1"), delivery("m2"));
  lost = ["m1"];
  await clock.advance(1_100);
  await runs.end("m0");
  await runs.end("m2");
  expect(runs.started).toEqual(["m0", "m2"]);
  expect(backend.subscription.outcomes).toEqual(["m0:ack", "m2:ack"]);
  expect(subscription.stats()).toMatchObject({ leasesLost: 1, inFlight: 0, released: 0 });
});

test("nobody extends leases of a subscription that is closed, or of a source that is gone", async () => {
  const backend = new FakeBackend();
  const fake = await fakeBus({}, backend);
  backend.session.lease = { durationMs: 3_000, extend: async () => [] };
  const subscription = await fake.bus.subscribe("#", { group: "g" }, () => undefined);
  await lostAndBack(fake);
  await fake.clock.advance(1_000);
  expect(fake.clock.timers).toBe(0); // the new session has no leases
  backend.onConnect = async () => {
    const session = new FakeSession();
    session.lease = { durationMs: 3_000, extend: async () => [] };
    return session;
  };
  await lostAndBack(fake);
  expect(fake.clock.timers).toBe(1);
  await subscription.close();
  await fake.clock.advance(1_000);
  expect(fake.clock.timers).toBe(0);
});

test("a lease that lapsed by our own clock, for it could not be extended, is refused and counted", async () => {
  const backend = new FakeBackend();
  const { bus, clock, events } = await fakeBus({}, backend);
  backend.session.lease = { durationMs: 3_000, extend: () => Promise.reject(new Error("no answer")) };
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { group: "g" }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await clock.advance(3_000);
  await runs.end("m0");
  expect(backend.subscription.outcomes).toEqual([]);
  expect(subscription.stats()).toMatchObject({ leasesLost: 1, inFlight: 0 });
  expect(events).toContain("warning");
  // There is room again: the slot is not lost with the lease.
  backend.subscription.deliver(delivery("m1"));
  await quiet();
  await runs.end("m1");
  expect(backend.subscription.outcomes).toEqual(["m1:ack"]);
});

test("a settlement that failed is tried again, and a retry is only told of when its copy is stored", async () => {
  const { bus, backend, clock, events } = await fakeBus({ retry: { delayMs: 50, jitter: 0 } });
  const subscription = await bus.subscribe("#", { group: "g" }, () => {
    throw new Error("no");
  });
  let isStoring = false;
  backend.subscription.onSettle = async (settlements) => (isStoring ? undefined : settlements.map(() => "failed" as const));
  backend.subscription.deliver(delivery("m0"));
  await clock.advance(1_000);
  expect(events).toContain("handler-failure");
  expect(events).not.toContain("retry");
  expect(subscription.stats().retried).toBe(0);
  isStoring = true;
  await clock.advance(5_000);
  expect(backend.subscription.outcomes).toEqual(["m0:inbox"]);
  expect(events).toContain("retry");
  expect(subscription.stats().retried).toBe(1);
});

test("what could not be settled before the session ended is stale, not tried on the next one", async () => {
  const fake = await fakeBus({ retry: { attemptsMax: 1 } });
  const { bus, backend } = fake;
  const subscription = await bus.subscribe("#", { group: "g", ordered: true }, () => {
    throw new Error("no");
  });
  backend.subscription.onSettle = async (settlements) => settlements.map(() => "failed" as const);
  backend.subscription.deliver(delivery("m0", { key: "k" }));
  await quiet();
  await lostAndBack(fake);
  await fake.clock.advance(10_000);
  expect(subscription.stats()).toMatchObject({ stale: 1, deadLettered: 0 });
  backend.subscription.deliver(delivery("m0", { key: "k" }, 2));
  await quiet();
  expect(backend.subscription.outcomes).toEqual(["m0:dead-letters"]); // its key is free again
});

test("a stale settlement is counted and tells of nothing", async () => {
  const { bus, backend, events } = await fakeBus({ retry: { attemptsMax: 1 } });
  const subscription = await bus.subscribe("#", { group: "g" }, () => {
    throw new Error("no");
  });
  backend.subscription.onSettle = async (settlements) => settlements.map(() => "stale" as const);
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  expect(subscription.stats()).toMatchObject({ stale: 1, deadLettered: 0, inFlight: 0 });
  expect(events).not.toContain("dead-letter");
});

test("a live failure is tried again in its process, then dropped and told", async () => {
  const { bus, backend, clock, events } = await fakeBus({ retry: { attemptsMax: 2, delayMs: 100, jitter: 0 } });
  const attempts: number[] = [];
  await bus.subscribe("#", (_, { attempt }) => {
    attempts.push(attempt);
    throw new Error("no");
  });
  backend.subscription.deliver(delivery("m0"));
  await clock.advance(100);
  expect(attempts).toEqual([1, 2]);
  expect(events).toContain("message-drop");
  expect(backend.subscription.outcomes).toEqual(["m0:ack"]);
});

test("a live failure becomes a dead letter of the group that was named, told of when it is stored, also after a reconnect", async () => {
  const fake = await fakeBus({ retry: { attemptsMax: 1 } });
  const { bus, backend, events } = fake;
  const runs = new Runs();
  const subscription = await bus.subscribe("#", { deadLetter: "audit" }, runs.handle);
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  await lostAndBack(fake);
  await runs.fail("m0");
  expect(backend.session.publishes.map(({ request, ids }) => [request.target, ids])).toEqual([[{ deadLetters: "audit" }, ["m0"]]]);
  expect(events).toContain("dead-letter");
  expect(subscription.stats().deadLettered).toBe(1);
});

test("a live dead letter that could not be stored is warned about, not told of as stored", async () => {
  const { bus, backend, events } = await fakeBus({ retry: { attemptsMax: 1 } });
  backend.session.accepts = false;
  const subscription = await bus.subscribe("#", { deadLetter: "audit" }, () => {
    throw new Error("no");
  });
  backend.subscription.deliver(delivery("m0"));
  await quiet();
  backend.session.publishes[0]?.all({ status: "refused", error: new HalyardError("NOT_AUTHORIZED", "Not yours.") });
  await quiet();
  expect(events).toContain("warning");
  expect(events).not.toContain("dead-letter");
  expect(subscription.stats()).toMatchObject({ deadLettered: 0, inFlight: 0 });
});

test("handlers may throw anything, and the message takes its way", async () => {
  const oddities: unknown[] = [
    undefined,
    null,
    "text",
    7,
    Symbol("odd"),
    Object.create(null),
    {
      toString: () => {
        throw new Error("worse");
      },
    },
    Object.assign(new Error("x"), { message: 7, stack: ["frames"], name: undefined }),
  ];
  const { bus, backend } = await fakeBus({ retry: { attemptsMax: 1 } });
  const subscription = await bus.subscribe("#", { group: "g", inFlightMax: 100 }, ({ headers }) => {
    throw oddities[Number(headers.n)];
  });
  backend.subscription.deliver(...oddities.map((_, n) => delivery(`m${n}`, { headers: { n: String(n) } })));
  await quiet();
  await quiet();
  expect(backend.subscription.outcomes).toEqual(oddities.map((_, n) => `m${n}:dead-letters`));
  expect(subscription.stats()).toMatchObject({ deadLettered: oddities.length, running: 0, inFlight: 0 });
});

test("a logger that throws breaks neither the subscription nor the message's way", async () => {
  const broken = (): never => {
    throw new Error("disk full");
  };
  let runs = 0;
  const { bus, backend, clock } = await fakeBus({ logger: { debug: broken, info: () => undefined, warn: broken, error: broken } });
  const subscription = await bus.subscribe("#", { group: "g", concurrency: 2 }, ({ id }) => {
    if (id === "good") return undefined;
    runs++;
    if (id.startsWith("sync")) throw new Error("no");
    return id.startsWith("async") ? Promise.reject(new Error("no")) : undefined;
  });
  backend.subscription.deliver(delivery("sync"), delivery("async"), delivery("good"));
  await clock.advance(1_500);
  // As with a logger that works: each has failed once and waits for its retry.
  expect(backend.subscription.outcomes.toSorted()).toEqual(["async:inbox", "good:ack", "sync:inbox"]);
  expect(runs).toBe(2);
  expect(subscription.stats()).toMatchObject({ running: 0, inFlight: 0, retried: 2 });
  await subscription.close();
});

test("closing does not wait for a receive that does not answer its abort", async () => {
  const { bus, backend, clock } = await fakeBus();
  const subscription = await bus.subscribe("#", { group: "g" }, () => undefined);
  await quiet();
  backend.subscription.receive = () => new Promise(() => undefined);
  backend.subscription.deliver(delivery("m0"));
  await quiet(); // the next receive hangs
  let isClosed = false;
  void subscription.close().then(() => {
    isClosed = true;
  });
  await clock.advance(2_000);
  expect(isClosed).toBe(true);
});

test("a hundred reconnects leave one subscription, and as many timers and waiting calls as one", async () => {
  const fake = await fakeBus();
  const { bus, backend, clock } = fake;
  await bus.subscribe("#", { group: "g" }, () => undefined);
  await bus.subscribe("#", () => undefined);
  await clock.advance(1_000);
  const timers = clock.timers;
  for (let round = 0; round < 100; round++) await lostAndBack(fake);
  await clock.advance(1_000);
  expect(backend.sessions).toHaveLength(101);
  expect(backend.session.subscriptions).toHaveLength(2);
  expect(clock.timers).toBe(timers);
  await bus.close();
  await clock.advance(60_000);
  expect(clock.timers).toBe(0);
});

test("a subscription that is closed leaves nothing behind on its session", async () => {
  const backend = new FakeBackend();
  const session = new FakeSession();
  const listen = vi.spyOn(session.closed, "then");
  backend.onConnect = async () => session;
  const { bus } = await fakeBus({}, backend);
  const before = listen.mock.calls.length;
  for (let round = 0; round < 20; round++) {
    const subscription = await bus.subscribe("#", () => undefined);
    await subscription.close();
  }
  expect(listen).toHaveBeenCalledTimes(before);
});

test("an aborted signal closes the subscription; one that had aborted refuses it", async () => {
  const { bus } = await fakeBus();
  await expect(bus.subscribe("#", { signal: AbortSignal.abort() }, () => undefined)).rejects.toMatchObject({ code: "ABORTED" });
  const controller = new AbortController();
  const subscription = await bus.subscribe("#", { signal: controller.signal }, () => undefined);
  controller.abort();
  expect(await subscription.ended).toBeUndefined();
  expect(subscription.state).toBe("closed");
});
