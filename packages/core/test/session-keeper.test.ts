import { expect, test } from "vitest";
import { HalyardError } from "../src/errors.ts";
import { reconnectDelayMsMax, SessionKeeper } from "../src/session-keeper.ts";
import { FakeBackend, FakeSession } from "./fake-backend.ts";
import { ManualClock, quiet } from "./manual-clock.ts";

interface Kept {
  readonly keeper: SessionKeeper;
  readonly backend: FakeBackend;
  readonly clock: ManualClock;
  /** What the keeper reported, e.g. `open:first`, `loss:CONNECTION_LOST`, `failure:3`. */
  readonly told: string[];
}

function keep(random: () => number = () => 0.5, limits = {}): Kept {
  const backend = new FakeBackend();
  const clock = new ManualClock();
  const told: string[] = [];
  const keeper = new SessionKeeper({
    backend,
    clock,
    random,
    host: { namespace: "n", clientName: "c", clock, random, report: () => undefined },
    connectTimeoutMs: 10_000,
    startTimeoutMs: 30_000,
    onConnected: (_, isFirst) => void told.push(`open:${isFirst ? "first" : "again"}`),
    onLost: (error) => void told.push(`loss:${(error as HalyardError).code}`),
    onConnectFailed: (_, attempt) => void told.push(`failure:${attempt}`),
    ...limits,
  });
  return { keeper, backend, clock, told };
}

const refused = (): Promise<never> => Promise.reject(new HalyardError("CONNECT_FAILED", "Nobody there."));

/** When attempts to connect are made, from now on. */
async function attemptTimes({ backend, clock }: Kept, count: number): Promise<number[]> {
  const times: number[] = [];
  const startMs = clock.monotonicMs();
  backend.onConnect = () => {
    times.push(clock.monotonicMs() - startMs);
    return refused();
  };
  backend.session.lose();
  while (times.length < count) await clock.advance(500);
  return times;
}

test.for([
  [0, 0.5],
  [0.999_999, 1],
])("the delay between attempts grows from 100 ms to 15 s, times %d drawn: between half of it and all", async ([drawn, share]) => {
  const kept = keep(() => drawn as number);
  await kept.keeper.start(undefined);
  const times = await attemptTimes(kept, 12);
  const delays = times.map((timeMs, index) => timeMs - (times[index - 1] ?? 0));
  for (const [index, delayMs] of delays.entries()) {
    expect(delayMs).toBeCloseTo(Math.min(reconnectDelayMsMax, 100 * 2 ** index) * (share as number), 0);
  }
  await kept.keeper.close();
});

test("a session that ends is replaced, and told of once", async () => {
  const { keeper, backend, clock, told } = keep();
  await keeper.start(undefined);
  const first = backend.session;
  expect(keeper.current).toBe(first);
  first.lose();
  first.lose();
  await quiet();
  expect(keeper.current).toBeUndefined();
  expect(keeper.lastError).toMatchObject({ code: "CONNECTION_LOST" });
  await clock.advance(100);
  expect(keeper.current).toBe(backend.session);
  expect(backend.session).not.toBe(first);
  expect([keeper.sessions, keeper.lastError]).toEqual([2, undefined]);
  expect(told).toEqual(["open:first", "loss:CONNECTION_LOST", "open:again"]);
});

/** How long after each loss the keeper connects again, when sessions end at once. */
async function delaysAfterLosses({ backend, clock }: Kept, count: number, whenOpen: () => Promise<void> | void = () => undefined): Promise<number[]> {
  const delays: number[] = [];
  for (let time = 0; time < count; time++) {
    await whenOpen();
    const { session } = backend;
    session.lose();
    await quiet();
    const lostMs = clock.monotonicMs();
    while (backend.session === session) await clock.advance(10);
    delays.push(clock.monotonicMs() - lostMs);
  }
  return delays;
}

test("a broker that lets in and drops is called less and less often, until a session was of use", async () => {
  const kept = keep(() => 1);
  await kept.keeper.start(undefined);
  expect(await delaysAfterLosses(kept, 5)).toEqual([100, 200, 400, 800, 1_600]);
  expect(await delaysAfterLosses(kept, 3, () => kept.keeper.prove(kept.backend.session))).toEqual([100, 100, 100]);
  expect(await delaysAfterLosses(kept, 3, () => kept.clock.advance(10_000))).toEqual([100, 100, 100]);
  await kept.keeper.close();
});

test("a late proof of an ended session proves nothing about the next", async () => {
  const kept = keep(() => 1);
  await kept.keeper.start(undefined);
  const first = kept.backend.session;
  await delaysAfterLosses(kept, 1);
  expect(await delaysAfterLosses(kept, 2, () => kept.keeper.prove(first))).toEqual([200, 400]);
  await kept.keeper.close();
});

test("who waits for a session gets the next one; who aborts, or outlives the keeper, is told", async () => {
  const { keeper, backend, clock } = keep();
  await keeper.start(undefined);
  backend.session.lose();
  await quiet();
  const controller = new AbortController();
  const aborted = keeper.session(controller.signal);
  const waiting = keeper.session(new AbortController().signal);
  controller.abort();
  await expect(aborted).rejects.toMatchObject({ code: "ABORTED" });
  await expect(keeper.session(AbortSignal.abort())).rejects.toMatchObject({ code: "ABORTED" });
  await clock.advance(100);
  expect(await waiting).toBe(backend.session);
  backend.session.lose();
  await quiet();
  const outliving = keeper.session(new AbortController().signal);
  await Promise.all([keeper.close(), expect(outliving).rejects.toMatchObject({ code: "CLOSED" })]);
});

test("the first connection is tried again until the time to start is up, then fails with the last error", async () => {
  const { keeper, backend, clock, told } = keep();
  backend.onConnect = refused;
  const start = keeper.start(undefined).catch((error: HalyardError) => error);
  await clock.advance(29_000);
  expect(told.length).toBeGreaterThan(5);
  await clock.advance(2_000);
  expect(await start).toMatchObject({ code: "CONNECT_FAILED", message: "Nobody there." });
  expect(clock.timers).toBe(0);
});

test("a server that takes the connection and says nothing does not keep the start beyond its time", async () => {
  const { keeper, backend, clock } = keep(() => 0.5, { startTimeoutMs: 2_000 });
  backend.onConnect = () => new Promise(() => undefined);
  const start = keeper.start(undefined).catch((error: HalyardError) => error.code);
  await clock.advance(3_000);
  expect(await Promise.race([start, quiet()])).toBe("TIMEOUT");
});

test.for(["AUTH_FAILED", "NOT_AUTHORIZED", "TLS_FAILED", "PROTOCOL_ERROR"] as const)("%s at the start is not tried again", async (code) => {
  const { keeper, backend, clock } = keep();
  backend.onConnect = () => Promise.reject(new HalyardError(code, "No."));
  await expect(keeper.start(undefined)).rejects.toMatchObject({ code });
  await clock.advance(60_000);
  expect(backend.attempts).toBe(1);
  expect(clock.timers).toBe(0);
});

test("wrong credentials after a loss make no storm: they are tried at the longest delay only", async () => {
  const kept = keep();
  await kept.keeper.start(undefined);
  kept.backend.onConnect = () => Promise.reject(new HalyardError("AUTH_FAILED", "No."));
  kept.backend.session.lose();
  await kept.clock.advance(120_000);
  expect(kept.backend.attempts).toBeLessThan(14);
  kept.backend.onConnect = undefined;
  await kept.clock.advance(reconnectDelayMsMax);
  expect(kept.told.at(-1)).toBe("open:again");
});

test("what is thrown that is no error of ours becomes CONNECT_FAILED with its cause", async () => {
  const { keeper, backend, clock } = keep();
  backend.onConnect = () => Promise.reject("socket hang up");
  const start = keeper.start(undefined).catch((error: HalyardError) => error);
  await clock.advance(60_000);
  expect(await start).toMatchObject({ code: "CONNECT_FAILED", cause: "socket hang up" });
});

test("a session that comes after the attempt's deadline is closed, not used", async () => {
  const { keeper, backend, clock } = keep();
  await keeper.start(undefined);
  const late = new FakeSession();
  let come: (session: FakeSession) => void = () => undefined;
  backend.onConnect = () => new Promise((resolve) => (come = resolve));
  backend.session.lose();
  await clock.advance(10_200);
  backend.onConnect = undefined;
  come(late);
  await clock.advance(1_000);
  expect(late.closeCalls).toBe(1);
  expect(keeper.current).toBe(backend.sessions.find((session) => !session.isClosed && session !== late));
});

test("closing during an attempt to connect ends it at once; the session that comes all the same is closed", async () => {
  const { keeper, backend, clock, told } = keep();
  await keeper.start(undefined);
  const late = new FakeSession();
  let come: (session: FakeSession) => void = () => undefined;
  let seen: AbortSignal | undefined;
  backend.onConnect = (_, signal) => {
    seen = signal;
    return new Promise((resolve) => (come = resolve));
  };
  backend.session.lose();
  await clock.advance(100);
  await keeper.close();
  expect(seen?.aborted).toBe(true);
  come(late);
  await quiet();
  expect(late.closeCalls).toBe(1);
  expect(keeper.current).toBeUndefined();
  expect(told).toEqual(["open:first", "loss:CONNECTION_LOST"]);
  expect(clock.timers).toBe(0);
});

test("closing between two attempts ends the wait", async () => {
  const { keeper, backend, clock } = keep();
  await keeper.start(undefined);
  backend.onConnect = refused;
  backend.session.lose();
  await clock.advance(5_000);
  await keeper.close();
  expect(clock.timers).toBe(0);
});

test("closing closes the session once; a session that does not end, or fails to, holds nobody up for ever", async () => {
  const plain = keep();
  await plain.keeper.start(undefined);
  await plain.keeper.close();
  await plain.keeper.close();
  expect(plain.backend.session.closeCalls).toBe(1);
  expect(plain.told).toEqual(["open:first"]);

  const failing = keep();
  await failing.keeper.start(undefined);
  failing.backend.session.onClose = () => Promise.reject(new Error("reset"));
  await failing.keeper.close();

  const hanging = keep();
  await hanging.keeper.start(undefined);
  hanging.backend.session.onClose = () => new Promise(() => undefined);
  const closing = hanging.keeper.close().then(() => "closed");
  await hanging.clock.advance(10_000);
  expect(await Promise.race([closing, quiet()])).toBe("closed");
});

test("a discarded session is closed and replaced; one that is not current any more is left alone", async () => {
  const { keeper, backend, clock, told } = keep();
  await keeper.start(undefined);
  const first = backend.session;
  first.onClose = () => Promise.reject(new Error("it was broken"));
  keeper.discard(first, new HalyardError("CONNECTION_LOST", "It said so."));
  keeper.discard(first, new HalyardError("CONNECTION_LOST", "Again."));
  await clock.advance(100);
  keeper.discard(first, new HalyardError("CONNECTION_LOST", "Late."));
  await quiet();
  expect(first.closeCalls).toBe(1);
  expect(keeper.current).toBe(backend.session);
  expect(told).toEqual(["open:first", "loss:CONNECTION_LOST", "open:again"]);
});

test("an abort during the start ends it, also between two attempts, and leaves nothing behind", async () => {
  const waiting = keep();
  waiting.backend.onConnect = refused;
  const controller = new AbortController();
  const start = waiting.keeper.start(controller.signal).catch((error: HalyardError) => error.code);
  await waiting.clock.advance(1_000);
  controller.abort();
  expect(await start).toMatch(/ABORTED|CONNECT_FAILED/);
  expect(waiting.clock.timers).toBe(0);

  const connecting = keep();
  const late = new FakeSession();
  let come: (session: FakeSession) => void = () => undefined;
  connecting.backend.onConnect = () => new Promise((resolve) => (come = resolve));
  const second = new AbortController();
  const rejected = expect(connecting.keeper.start(second.signal)).rejects.toMatchObject({ code: "ABORTED" });
  second.abort();
  await rejected;
  come(late);
  await quiet();
  expect(late.closeCalls).toBe(1);
});

test("a hundred losses leave one session open and no timer", async () => {
  const { keeper, backend, clock } = keep();
  await keeper.start(undefined);
  for (let round = 0; round < 100; round++) {
    keeper.prove(backend.session);
    backend.session.lose();
    await clock.advance(200);
  }
  expect(backend.sessions.filter(({ isClosed }) => !isClosed)).toHaveLength(1);
  expect([keeper.sessions, clock.timers]).toEqual([101, 0]);
});
