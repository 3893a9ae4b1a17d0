import { channel } from "node:diagnostics_channel";
import { afterEach, expect, test, vi } from "vitest";
import { createBus } from "../src/create-bus.ts";
import { HalyardError } from "../src/errors.ts";
import { ownHeaders } from "../src/message.ts";
import type { History } from "../src/spi/control.ts";
import { type Deferred, deferred } from "../src/waiting.ts";
import { delivery, FakeBackend, FakeSession, fakeCapabilities, wire } from "./fake-backend.ts";
import { fakeBus } from "./fake-bus.ts";
import { ManualClock, quiet } from "./manual-clock.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("close lets handlers end and publish, then sends what they published, then disconnects; it is idempotent", async () => {
  const { bus, backend } = await fakeBus();
  const { session } = backend;
  const log: string[] = [];
  const running: Deferred<void> = deferred();
  session.accepts = false;
  session.onClose = async () => void log.push("disconnected");
  await bus.subscribe("#", { group: "g" }, async (_, context) => {
    await running.promise;
    void context.publish("out", 1, { id: "last" }).then(() => log.push("accepted"));
    log.push("handled");
  });
  const source = backend.subscription;
  const { close } = source;
  vi.spyOn(source, "close").mockImplementation(async () => {
    log.push("left");
    await close.call(source);
  });
  source.deliver(delivery("m"));
  await quiet();
  const closing = bus.close();
  const again = bus.close();
  await quiet();
  expect(log).toEqual([]);
  await expect(bus.subscribe("#", () => undefined)).rejects.toMatchObject({ code: "CLOSED" });
  running.resolve();
  await quiet();
  expect(log).toEqual(["handled", "left"]);
  expect(source.outcomes).toEqual(["m:ack"]);
  session.publishes[0]?.accept();
  await Promise.all([closing, again]);
  expect(log).toEqual(["handled", "left", "accepted", "disconnected"]);
  expect(session.closeCalls).toBe(1);
  await expect(bus.publish("a", 1)).rejects.toMatchObject({ code: "CLOSED" });
  await expect(bus.groups.list()).rejects.toMatchObject({ code: "CLOSED" });
});

test("close keeps its time, whatever hangs, and leaves no timer", async () => {
  const { bus, backend, clock } = await fakeBus();
  await bus.subscribe("#", { group: "g" }, () => new Promise(() => undefined));
  backend.subscription.deliver(delivery("m"));
  backend.subscription.onSettle = () => new Promise(() => undefined);
  await quiet();
  backend.session.accepts = false;
  void bus.publish("a", 1).catch(() => undefined);
  const closing = bus.close({ timeoutMs: 1_000 }).then(() => "closed");
  await clock.advance(3_000);
  expect(await Promise.race([closing, quiet()])).toBe("closed");
  await clock.advance(60_000);
  expect(clock.timers).toBe(0);
});

test("a bus that was never connected can be closed while it tries", async () => {
  const backend = new FakeBackend();
  backend.onConnect = () => Promise.reject(new HalyardError("AUTH_FAILED", "No."));
  await expect(fakeBus({}, backend)).rejects.toMatchObject({ code: "AUTH_FAILED" });
});

test("a signal closes the bus and is sent again, once, when the last bus that listens has drained", async () => {
  const kill = vi.spyOn(process, "kill").mockImplementation(() => true);
  const before = process.listenerCount("SIGUSR2");
  const first = await fakeBus({ closeOnSignals: ["SIGUSR2"] });
  const second = await fakeBus({ closeOnSignals: ["SIGUSR2"] });
  const running = deferred<void>();
  await second.bus.subscribe("#", { group: "g" }, () => running.promise);
  second.backend.subscription.deliver(delivery("m"));
  await quiet();
  process.emit("SIGUSR2", "SIGUSR2");
  await quiet();
  expect(first.backend.session.isClosed).toBe(true);
  expect(second.backend.session.isClosed).toBe(false);
  expect(kill).not.toHaveBeenCalled(); // it would end the process under the second bus
  running.resolve();
  await quiet();
  expect(second.backend.session.isClosed).toBe(true);
  expect(kill.mock.calls).toEqual([[process.pid, "SIGUSR2"]]);
  expect(process.listenerCount("SIGUSR2")).toBe(before);
});

test("a bus that is closed by hand listens to no signal any more", async () => {
  const before = process.listenerCount("SIGUSR2");
  const { bus } = await fakeBus({ closeOnSignals: ["SIGUSR2"] });
  expect(process.listenerCount("SIGUSR2")).toBe(before + 1);
  await bus.close();
  expect(process.listenerCount("SIGUSR2")).toBe(before);
});

test("publishBatch gives receipts in order, or says which of them failed", async () => {
  const { bus, backend } = await fakeBus();
  const receipts = await bus.publishBatch([
    { topic: "a", payload: 1, options: { id: "1" } },
    { topic: "b", payload: 2, options: { id: "2" } },
  ]);
  expect(receipts.map(({ id }) => id)).toEqual(["1", "2"]);
  expect(backend.session.publishes.map(({ ids }) => ids)).toEqual([["1", "2"]]);
  const failure = bus.publishBatch([
    { topic: "a", payload: 1, options: { id: "3" } },
    { topic: "not a topic", payload: 2 },
  ]);
  await expect(failure).rejects.toMatchObject({
    code: "BATCH_INCOMPLETE",
    details: { results: [{ receipt: { id: "3" } }, { error: { code: "INVALID_TOPIC" } }] },
  });
  expect(await bus.publishBatch([])).toEqual([]);
});

test("what is wrong with a publish rejects before anything is sent", async () => {
  const backend = new FakeBackend();
  backend.capabilities = { ...fakeCapabilities, delayMsMax: 1_000, bodyBytesMax: 100 };
  const { bus } = await fakeBus({}, backend);
  const rejections: [() => Promise<unknown>, string][] = [
    [() => bus.publish("no topic", 1), "INVALID_TOPIC"],
    [() => bus.publish("a", undefined), "ENCODE_FAILED"],
    [() => bus.publish("a", "x".repeat(101)), "PAYLOAD_TOO_LARGE"],
    [() => bus.publish("a", 1, { id: "no id" }), "INVALID_ID"],
    [() => bus.publish("a", 1, { headers: { Upper: "x" } }), "INVALID_HEADER"],
    [() => bus.publish("a", 1, { headers: { "halyard-x": "x" } }), "INVALID_HEADER"],
    [() => bus.publish("a", 1, { headers: { x: 1 as never } }), "INVALID_HEADER"],
    [() => bus.publish("a", 1, { headers: { x: "\ud800" } }), "INVALID_HEADER"],
    [() => bus.publish("a", 1, { headers: { x: "x".repeat(32 * 1024) } }), "HEADERS_TOO_LARGE"],
    [() => bus.publish("a", 1, { priority: 10 }), "INVALID_OPTIONS"],
    [() => bus.publish("a", 1, { priority: "constructor" as never }), "INVALID_OPTIONS"],
    [() => bus.publish("a", 1, { ttlMs: -1 }), "INVALID_OPTIONS"],
    [() => bus.publish("a", 1, { delayMs: Number.NaN }), "INVALID_OPTIONS"],
    [() => bus.publish("a", 1, { delayMs: 1_001 }), "UNSUPPORTED"],
    [() => bus.publish("a", 1, { key: "x".repeat(256) }), "INVALID_OPTIONS"],
    [() => bus.publish("a", 1, { attemptsMax: 0 }), "INVALID_OPTIONS"],
    [() => bus.publish("a", 1, { timeoutMs: 0 }), "INVALID_OPTIONS"],
    [() => bus.send("no group", "a", 1), "INVALID_GROUP"],
  ];
  for (const [call, code] of rejections) await expect(call()).rejects.toMatchObject({ code });
  expect(backend.session.publishes).toEqual([]);
  expect(bus.metrics().publishing).toEqual({ messages: 0, bytes: 0 });
});

test("what is published is the wire message that the options say", async () => {
  const { bus, backend } = await fakeBus({ source: "me" });
  await bus.publish(
    "a.b",
    { n: 1 },
    {
      id: "m1",
      type: "t",
      headers: { h: " ü\n" },
      priority: "high",
      ttlMs: 10,
      delayMs: 5,
      key: "k",
      correlationId: "c",
      causationId: "p",
      replyTo: "r",
      attemptsMax: 7,
      persistent: false,
    },
  );
  expect(backend.session.published).toMatchObject([
    {
      topic: "a.b",
      id: "m1",
      timeMs: 1_700_000_000_000,
      attempt: 1,
      contentType: "application/json",
      type: "t",
      priority: 6,
      persistent: false,
      key: "k",
      source: "me",
      correlationId: "c",
      replyTo: "r",
      expiresAtMs: 1_700_000_000_010,
      notBeforeMs: 1_700_000_000_005,
      headers: { h: " ü\n", [ownHeaders.causationId]: "p", [ownHeaders.attemptsMax]: "7" },
    },
  ]);
  await bus.send("g", "a", 1);
  expect(backend.session.published[1]?.headers).toEqual({ [ownHeaders.to]: "g" });
});

test("a backend that carries values gets the frozen payload itself", async () => {
  const backend = new FakeBackend();
  backend.capabilities = { ...fakeCapabilities, carriesValues: true };
  const { bus } = await fakeBus({}, backend);
  const payload = { deep: [{ n: 1 }], when: new Date(0) };
  await bus.publish("a", payload);
  expect(backend.session.published[0]?.value?.payload).toBe(payload);
  expect(Object.isFrozen(payload.deep[0])).toBe(true);
  expect(Object.isFrozen(payload.when)).toBe(false);
});

test("what the backend reports becomes events and counters, for the subscription that it names", async () => {
  const { bus, backend, events } = await fakeBus();
  const heard: unknown[] = [];
  bus.on("gap", (gap) => heard.push(gap));
  const missing = await bus.subscribe("a", () => undefined);
  const source = backend.subscription;
  const other = await bus.subscribe("b", () => undefined);
  const report = backend.host?.report ?? (() => undefined);
  report({ type: "gap", subscription: source, count: 3 });
  report({ type: "gap", subscription: source, count: undefined });
  report({ type: "blocked", reason: "memory" });
  report({ type: "unblocked", reason: "memory" });
  report({ type: "recreated", what: "queue g", lost: "unknown" });
  report({ type: "warning", text: "look" });
  expect(heard).toEqual([
    { patterns: ["a"], count: 3 },
    { patterns: ["a"], count: undefined },
  ]);
  expect([missing.stats().missed, other.stats().missed, bus.metrics().missed]).toEqual([3, 0, 3]);
  expect(events.slice(1)).toEqual(["gap", "gap", "publish-block", "publish-unblock", "recreation", "warning"]);
});

test("metrics keep what closed subscriptions counted", async () => {
  const { bus, backend, clock } = await fakeBus();
  const subscription = await bus.subscribe("#", { group: "g" }, () => undefined);
  backend.subscription.deliver(delivery("m"));
  await quiet();
  await bus.publish("a", 1);
  await subscription.close();
  backend.session.lose();
  await clock.advance(200);
  expect(bus.metrics()).toMatchObject({ received: 1, handled: 1, published: 1, reconnects: 1, handlerLatency: { count: 1 }, publishLatency: { count: 1 } });
});

test("members of a group on one bus state one set of patterns, in any order, until they have all left", async () => {
  const { bus } = await fakeBus();
  const first = await bus.subscribe(["a", "b"], { group: "g" }, () => undefined);
  const second = await bus.subscribe(["b", "a", "a"], { group: "g" }, () => undefined);
  await expect(bus.subscribe("a", { group: "g" }, () => undefined)).rejects.toMatchObject({ code: "GROUP_CONFLICT" });
  await first.close();
  await expect(bus.subscribe("a", { group: "g" }, () => undefined)).rejects.toMatchObject({ code: "GROUP_CONFLICT" });
  await second.close();
  await bus.subscribe("a", { group: "g" }, () => undefined);
});

test("members of a group on one bus all say exclusive or none does, until they have all left", async () => {
  const { bus } = await fakeBus();
  const first = await bus.subscribe("a", { group: "g", exclusive: true }, () => undefined);
  const second = await bus.subscribe("a", { group: "g", exclusive: true }, () => undefined);
  await first.close();
  await expect(bus.subscribe("a", { group: "g" }, () => undefined)).rejects.toMatchObject({
    code: "GROUP_CONFLICT",
    message: expect.stringMatching(/members with exclusive on this bus, and this one is without it.*another group/),
    details: { group: "g", known: { exclusive: true }, stated: { exclusive: false } },
  });
  await second.close();
  await bus.subscribe("a", { group: "g" }, () => undefined);
  await expect(bus.subscribe("a", { group: "g", exclusive: true }, () => undefined)).rejects.toMatchObject({ code: "GROUP_CONFLICT" });
});

test("groups are the backend's, with names and patterns checked before", async () => {
  const { bus, backend } = await fakeBus();
  const calls: unknown[][] = [];
  const info = { name: "g", patterns: ["a"], waiting: 1, delayed: undefined, inFlight: 0, members: 0 };
  backend.session.admin = {
    ...backend.session.admin,
    defineGroup: async (name, { add, drop }) => void calls.push(["define", name, add.map(({ text }) => text), drop.map(({ text }) => text)]),
    removeGroup: async (name) => void calls.push(["remove", name]),
    purgeGroup: async () => 5,
    group: async () => info,
    groups: async () => [info],
  };
  await bus.groups.define("g", { add: ["a.*"], drop: ["b"] });
  await bus.groups.remove("g");
  expect(calls).toEqual([
    ["define", "g", ["a.*"], ["b"]],
    ["remove", "g"],
  ]);
  expect([await bus.groups.purge("g"), await bus.groups.get("g"), await bus.groups.list()]).toEqual([5, info, [info]]);
  await expect(bus.groups.define("no name", {})).rejects.toMatchObject({ code: "INVALID_GROUP" });
  await expect(bus.groups.define("g", { add: ["no pattern"] })).rejects.toMatchObject({ code: "INVALID_PATTERN" });
});

test("a call of the control plane keeps its deadline, connected or not", async () => {
  const { bus, backend, clock } = await fakeBus({ limits: { requestTimeoutMs: 1_000 } });
  let seen: AbortSignal | undefined;
  backend.session.admin = { ...backend.session.admin, groups: (signal) => new Promise(() => (seen = signal)) };
  const hanging = bus.groups.list().catch((error: HalyardError) => error.code);
  await clock.advance(1_000);
  expect([await hanging, seen?.aborted]).toEqual(["TIMEOUT", true]);
  backend.onConnect = () => new Promise(() => undefined);
  backend.session.lose();
  const offline = bus.groups.list().catch((error: HalyardError) => error.code);
  await clock.advance(1_000);
  expect(await offline).toBe("TIMEOUT");
});

test("health is a message that went round; settings that cannot be read do not make it ill", async () => {
  const { bus, backend, clock } = await fakeBus();
  const { session } = backend;
  expect(await bus.health()).toMatchObject({ healthy: true, connected: true, error: undefined, warnings: [], latencyMs: 0 });
  session.admin = { ...session.admin, warnings: () => Promise.reject(new HalyardError("NOT_AUTHORIZED", "Not for you.")) };
  expect(await bus.health()).toMatchObject({ healthy: true, latencyMs: 0 });
  session.admin = { ...session.admin, ping: () => new Promise(() => undefined) };
  const hanging = bus.health({ timeoutMs: 500 });
  await clock.advance(500);
  expect(await hanging).toMatchObject({ healthy: false, connected: true, latencyMs: undefined, error: { code: "TIMEOUT" } });
  backend.onConnect = () => Promise.reject(new HalyardError("CONNECT_FAILED", "Nobody there."));
  session.lose();
  await quiet();
  expect(await bus.health()).toMatchObject({ healthy: false, connected: false, error: { code: "CONNECTION_LOST" } });
  await bus.close();
  expect(await bus.health()).toMatchObject({ healthy: false, connected: false });
});

test("inspect shows the broker's numbers and this bus's subscriptions, and invents nothing", async () => {
  const { bus } = await fakeBus({ namespace: "shop" });
  const live = await bus.subscribe("a.#", () => undefined);
  expect(await bus.inspect()).toMatchObject({
    namespace: "shop",
    backend: "fake",
    groups: undefined,
    topics: undefined,
    subscriptions: [{ patterns: ["a.#"], group: undefined, state: "connected", stats: live.stats() }],
    publishing: { messages: 0, bytes: 0 },
  });
});

test("history is read page by page to its end, to a limit, or not at all where there is none", async () => {
  const { bus, backend } = await fakeBus();
  await expect(bus.history("#").next()).rejects.toMatchObject({ code: "UNSUPPORTED" });
  const requests: unknown[] = [];
  backend.session.history = {
    async read({ from, limit }) {
      requests.push([from, limit]);
      const start = typeof from === "object" && "after" in from ? Number(from.after) + 1 : 0;
      const messages = Array.from({ length: Math.min(limit, 1_200 - start) }, (_, index) => ({
        message: wire({ id: `m${start + index}` }),
        position: String(start + index),
      }));
      return { messages, end: start + messages.length === 1_200 };
    },
  };
  const ids: string[] = [];
  for await (const { message } of bus.history("#")) ids.push(message.id);
  expect([ids.length, ids.at(-1)]).toEqual([1_200, "m1199"]);
  expect(requests).toEqual([
    ["start", 500],
    [{ after: "499" }, 500],
    [{ after: "999" }, 500],
  ]);
  ids.length = 0;
  for await (const { message } of bus.history("#", { from: { after: "9" }, limit: 3 })) ids.push(message.id);
  expect(ids).toEqual(["m10", "m11", "m12"]);
  await expect(bus.history("#", { limit: 0 }).next()).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
});

test("history is read by id with the backend's index, or through all that is kept, or not at all where there is none", async () => {
  const { bus, backend } = await fakeBus();
  await expect(bus.historyById(["m1"])).rejects.toMatchObject({ code: "UNSUPPORTED" });
  let pages = 0;
  const stored = (index: number) => ({ message: wire({ id: `m${index}` }), position: String(index) });
  const read: History["read"] = async ({ from, limit }) => {
    pages++;
    const start = typeof from === "object" && "after" in from ? Number(from.after) + 1 : 0;
    const messages = Array.from({ length: Math.min(limit, 1_200 - start) }, (_, index) => stored(start + index));
    return { messages, end: start + messages.length === 1_200 };
  };
  backend.session.history = { read };
  const idsOf = async (...ids: string[]) => (await bus.historyById(ids)).map((entry) => entry?.message.id);
  expect([await idsOf("m700", "m2", "m700"), pages]).toEqual([["m700", "m2", "m700"], 2]);
  expect([await idsOf("m1199", "none"), pages]).toEqual([["m1199", undefined], 5]);
  expect([await idsOf(), pages]).toEqual([[], 5]);
  backend.session.history = { read, byId: async (ids) => ids.map((id) => (id === "m7" ? stored(7) : undefined)) };
  expect([await idsOf("m7", "m8"), pages]).toEqual([["m7", undefined], 5]);
});

test("diagnostics channels tell of a message's whole way", async () => {
  const seen: string[] = [];
  const names = ["publish", "published", "process", "processed", "settle"];
  const stops = names.map((name) => {
    const listen = (): void => void seen.push(name);
    channel(`halyard:${name}`).subscribe(listen);
    return () => channel(`halyard:${name}`).unsubscribe(listen);
  });
  const { bus, backend } = await fakeBus();
  await bus.publish("a", 1);
  await bus.subscribe("#", { group: "g" }, () => undefined);
  backend.subscription.deliver(delivery("m"));
  await quiet();
  for (const stop of stops) stop();
  expect(seen).toEqual(names);
});

test("createBus gives up connecting when its signal aborts, and closes what connects all the same", async () => {
  const backend = new FakeBackend();
  const late = new FakeSession();
  let come: (session: FakeSession) => void = () => undefined;
  backend.onConnect = () => new Promise((resolve) => (come = resolve));
  const controller = new AbortController();
  const rejected = expect(createBus({ backend, clock: new ManualClock(), signal: controller.signal })).rejects.toMatchObject({ code: "ABORTED" });
  controller.abort();
  await rejected;
  come(late);
  await quiet();
  expect(late.closeCalls).toBe(1);
  await expect(createBus({ backend: new FakeBackend(), signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
});
