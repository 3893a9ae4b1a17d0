import { expect, test, vi } from "vitest";
import { HalyardError } from "../src/errors.ts";
import { batchMessagesMax, type PublishReceipt } from "../src/outgoing.ts";
import { defineTopics } from "../src/topics/define-topics.ts";
import { FakeBackend } from "./fake-backend.ts";
import { type FakeBus, fakeBus } from "./fake-bus.ts";
import { quiet } from "./manual-clock.ts";

const noRoom = { status: "refused", error: new HalyardError("BACKPRESSURE", "No room.") } as const;
const lost = new HalyardError("CONNECTION_LOST", "Cut.");

/** A bus whose publishes wait for the test's answer. */
async function silentBus(limits = {}): Promise<FakeBus> {
  const backend = new FakeBackend();
  backend.accepts = false;
  return fakeBus({ limits }, backend);
}

/** What became of a publish, readable at any moment; counts how often it was told. */
function watch(receipt: Promise<PublishReceipt>) {
  const seen: { value?: PublishReceipt; code?: string; times: number; message?: string } = { times: 0 };
  receipt.then(
    (value) => {
      seen.value = value;
      seen.times++;
    },
    (error: HalyardError) => {
      seen.code = error.code;
      seen.message = error.message;
      seen.times++;
    },
  );
  return seen;
}

test("what is published in one turn leaves as one batch, in order", async () => {
  const { bus, backend } = await silentBus();
  const ids = Array.from({ length: 100 }, (_, index) => `m${index}`);
  for (const id of ids) void bus.publish(`topic.${id}`, 1, { id });
  await quiet();
  expect(backend.session.publishes.map((call) => call.ids)).toEqual([ids]);
});

test("a lone publish leaves in the same turn", async () => {
  const { bus, backend } = await silentBus();
  void bus.publish("a", 1, { id: "alone" });
  await new Promise((resolve) => process.nextTick(() => process.nextTick(resolve)));
  expect(backend.session.publishes.map((call) => call.ids)).toEqual([["alone"]]);
});

test("batches are pipelined: a second one does not wait for the answer to the first", async () => {
  const { bus, backend } = await silentBus();
  const first = watch(bus.publish("a", 1, { id: "1" }));
  await quiet();
  const second = watch(bus.publish("a", 1, { id: "2" }));
  await quiet();
  expect(backend.session.publishes).toHaveLength(2);
  backend.session.publishes[1]?.accept();
  await quiet();
  expect([first.times, second.times]).toEqual([0, 1]);
});

test("batches are bounded, and at most 4,096 messages are in flight", async () => {
  const { bus, backend } = await silentBus();
  for (let index = 0; index < 5_000; index++) void bus.publish("a", 1).catch(() => undefined);
  await quiet();
  const sizes = backend.session.publishes.map((call) => call.messages.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(batchMessagesMax);
  expect(backend.session.published).toHaveLength(4_096);
  backend.session.publishes[0]?.accept();
  await quiet();
  expect(backend.session.published).toHaveLength(4_096 + (sizes[0] ?? 0));
});

test("a target and the wish for a position make batches of their own, without changing the order", async () => {
  const { bus, backend } = await silentBus();
  void bus.publish("a", 1, { id: "1" });
  void bus.publish("a", 1, { id: "2", position: true });
  void bus.send("g", "a", 1, { id: "3" });
  void bus.send("g", "a", 1, { id: "4" });
  void bus.publish("a", 1, { id: "5" });
  await quiet();
  expect(backend.session.publishes.map((call) => [call.ids, call.request.target, call.request.positions])).toEqual([
    [["1"], undefined, false],
    [["2"], undefined, true],
    [["3", "4"], { group: "g" }, false],
    [["5"], undefined, false],
  ]);
});

test("isFirstSend is true for ids that core made, and false for given ones and for repeats", async () => {
  const { bus, backend, clock } = await silentBus();
  void bus.publish("a", 1);
  void bus.publish("a", 1, { id: "given" });
  await quiet();
  expect(backend.session.publishes.map((call) => call.request.isFirstSend)).toEqual([true, false]);
  backend.session.lose();
  await clock.advance(1_000);
  expect(backend.sessions).toHaveLength(2);
  expect(backend.session.publishes.map((call) => call.request.isFirstSend)).toEqual([false]);
});

test("an unknown outcome is repeated under the same id on the next session, in the order of publishing", async () => {
  const { bus, backend, clock } = await silentBus();
  const seen = ["1", "2"].map((id) => watch(bus.publish("a", 1, { id })));
  await quiet();
  seen.push(watch(bus.publish("a", 1, { id: "3" })));
  await quiet();
  backend.session.lose();
  seen.push(watch(bus.publish("a", 1, { id: "4" }))); // it waits already when the others come back
  await clock.advance(1_000);
  expect(backend.session.published.map(({ id }) => id)).toEqual(["1", "2", "3", "4"]);
  for (const call of backend.session.publishes) call.all({ status: "accepted", duplicate: true });
  await quiet();
  // The first three may be there already, by our own first sending: that is no duplicate for the caller.
  expect(seen.map(({ value }) => value?.duplicate)).toEqual([false, false, false, true]);
  expect(bus.metrics().publishRepeated).toBe(3);
});

test("a publish whose status is unknown is repeated on the same session, and counted as repeated", async () => {
  const { bus, backend, clock } = await silentBus();
  const seen = watch(bus.publish("a", 1, { id: "1" }));
  await quiet();
  backend.session.publishes[0]?.all({ status: "unknown", error: new Error("Who knows?") });
  await clock.advance(100);
  expect(backend.session.publishes.map((call) => call.ids)).toEqual([["1"], ["1"]]);
  expect(bus.metrics().publishRepeated).toBe(1);
  backend.session.publishes[1]?.accept();
  await quiet();
  expect(seen.value?.id).toBe("1");
});

test("a batch for which the backend gives too few statuses is unknown where they are missing", async () => {
  const { bus, backend, clock } = await silentBus();
  const seen = ["1", "2"].map((id) => watch(bus.publish("a", 1, { id })));
  await quiet();
  backend.session.publishes[0]?.answer.resolve([{ status: "accepted" }]);
  await clock.advance(100);
  expect(seen.map(({ times }) => times)).toEqual([1, 0]);
  expect(backend.session.publishes[1]?.ids).toEqual(["2"]);
});

test("what is refused for want of room is held and repeated while other topics flow", async () => {
  const { bus, backend, clock } = await silentBus();
  const held = watch(bus.publish("full", 1, { id: "1" }));
  await quiet();
  backend.session.publishes[0]?.all(noRoom);
  await quiet();
  const behind = watch(bus.publish("full", 1, { id: "2" }));
  const other = watch(bus.publish("free", 1, { id: "3" }));
  await quiet();
  expect(backend.session.publishes[1]?.ids).toEqual(["3"]);
  backend.session.publishes[1]?.accept();
  await quiet();
  expect([held.times, behind.times, other.times]).toEqual([0, 0, 1]);
  await clock.advance(20);
  expect(backend.session.publishes[2]?.ids).toEqual(["1", "2"]);
  backend.session.publishes[2]?.accept();
  await quiet();
  expect([held.value?.id, behind.value?.id]).toEqual(["1", "2"]);
});

test("what was published before the refusal arrived, and had not left, does not overtake it", async () => {
  const { bus, backend, clock } = await silentBus();
  void bus.publish("full", 1, { id: "1" });
  await quiet();
  backend.session.publishes[0]?.all(noRoom);
  void bus.publish("full", 1, { id: "2" }); // in the turn in which the refusal is on its way
  void bus.publish("free", 1, { id: "3" });
  await quiet();
  expect(backend.session.publishes.slice(1).map((call) => call.ids)).toEqual([["3"]]);
  await clock.advance(20);
  expect(backend.session.publishes[2]?.ids).toEqual(["1", "2"]);
});

test("what is held keeps its place before what was in flight when the session ended", async () => {
  const { bus, backend, clock } = await silentBus();
  void bus.publish("a", 1, { id: "1" });
  await quiet();
  void bus.publish("a", 1, { id: "2" });
  await quiet();
  backend.session.publishes[0]?.all(noRoom);
  await quiet();
  backend.session.lose();
  await clock.advance(200);
  expect(backend.sessions).toHaveLength(2);
  expect(backend.session.published.map(({ id }) => id)).toEqual(["1", "2"]);
});

test("what waits leaves in the moment in which there is a session again", async () => {
  const { bus, backend, clock } = await fakeBus({ random: () => 0.3 });
  backend.session.lose();
  await quiet();
  void bus.publish("a", 1, { id: "1" });
  await clock.advance(64);
  expect(backend.sessions).toHaveLength(1);
  await clock.advance(1);
  expect(backend.session.published.map(({ id }) => id)).toEqual(["1"]);
});

test("what is held is asked about less and less often, at least every second", async () => {
  const { bus, backend, clock } = await silentBus();
  void bus.publish("full", 1, { id: "1" }).catch(() => undefined);
  const times: number[] = [];
  await quiet();
  for (let round = 0; round < 12; round++) {
    const before = backend.session.publishes.length;
    backend.session.publishes.at(-1)?.all(noRoom);
    const startMs = clock.monotonicMs();
    while (backend.session.publishes.length === before && clock.monotonicMs() - startMs < 5_000) await clock.advance(10);
    times.push(clock.monotonicMs() - startMs);
  }
  expect(times[0]).toBe(20);
  expect(times.at(-1)).toBe(1_000);
  expect([...times].sort((left, right) => left - right)).toEqual(times);
});

test("a refusal for good rejects at once with the broker's error, and the rest of the batch lives on", async () => {
  const { bus, backend } = await silentBus();
  const seen = ["1", "2", "3"].map((id) => watch(bus.publish("a", 1, { id })));
  await quiet();
  backend.session.publishes[0]?.answer.resolve([
    { status: "refused", error: new HalyardError("ID_REUSED", "Another body.") },
    { status: "refused", error: new Error("native") },
    { status: "accepted", position: "7" },
  ]);
  await quiet();
  expect(seen.map(({ code, value }) => code ?? value?.position)).toEqual(["ID_REUSED", "PUBLISH_REFUSED", "7"]);
});

test("a deadline never comes early and at most one tick late; unanswered is PUBLISH_UNKNOWN, told once", async () => {
  const { bus, backend, clock } = await silentBus();
  const seen = watch(bus.publish("a", 1, { id: "1", timeoutMs: 1_000 }));
  await clock.advance(999);
  expect(seen.times).toBe(0);
  await clock.advance(51);
  expect([seen.code, seen.times]).toEqual(["PUBLISH_UNKNOWN", 1]);
  backend.session.publishes[0]?.accept();
  await quiet();
  expect(seen.times).toBe(1);
  expect(bus.metrics()).toMatchObject({ published: 0, publishFailed: 1 });
});

test("one deadline that passes takes no other with it", async () => {
  const { bus, clock } = await silentBus();
  const seen = [1_000, 1_040].map((timeoutMs) => watch(bus.publish("a", 1, { timeoutMs })));
  await clock.advance(1_010);
  expect(seen.map(({ times }) => times)).toEqual([1, 0]);
  await clock.advance(50);
  expect(seen.map(({ times }) => times)).toEqual([1, 1]);
});

test("late without a connection is CONNECT_FAILED, late while the broker is full is BACKPRESSURE, for those behind as well", async () => {
  const { bus, backend, clock } = await silentBus();
  const full = watch(bus.publish("full", 1, { id: "1", timeoutMs: 250 }));
  await quiet();
  backend.session.publishes[0]?.all(noRoom);
  await quiet();
  const behind = watch(bus.publish("full", 1, { id: "2", timeoutMs: 250 }));
  for (let round = 0; round < 40; round++) {
    await clock.advance(10);
    backend.session.publishes.at(-1)?.all(noRoom);
  }
  expect([full.code, behind.code]).toEqual(["BACKPRESSURE", "BACKPRESSURE"]);

  backend.onConnect = () => Promise.reject(new HalyardError("CONNECT_FAILED", "Nobody there."));
  backend.session.lose();
  await quiet();
  const unsent = watch(bus.publish("free", 1, { id: "3", timeoutMs: 300 }));
  await clock.advance(400);
  expect(unsent.code).toBe("CONNECT_FAILED");
  expect(unsent.message).toContain("Nobody there.");
});

test("late behind a message that is held, and never sent itself, is not told that there was no connection", async () => {
  const { bus, backend, clock } = await silentBus();
  void bus.publish("full", 1, { id: "1", timeoutMs: 60_000 }).catch(() => undefined);
  await quiet();
  for (let round = 0; round < 8; round++) {
    backend.session.publishes.at(-1)?.all(noRoom);
    await clock.advance(1_000);
  }
  backend.session.publishes.at(-1)?.all(noRoom);
  await quiet();
  const behind = watch(bus.publish("full", 1, { id: "2", timeoutMs: 200 }));
  await clock.advance(300);
  expect(behind.code).toBe("BACKPRESSURE");
});

test("an outcome that was once unknown stays unknown at the deadline, whatever happened since", async () => {
  const { bus, backend, clock } = await silentBus();
  const seen = watch(bus.publish("a", 1, { id: "1", timeoutMs: 500 }));
  await quiet();
  backend.onConnect = () => Promise.reject(new HalyardError("CONNECT_FAILED", "Nobody there."));
  backend.session.lose(lost);
  await clock.advance(600);
  expect(seen.code).toBe("PUBLISH_UNKNOWN");
});

test("messages and bytes that wait are bounded, and room comes back", async () => {
  const { bus, backend } = await silentBus({ publishMessagesMax: 2, publishBytesMax: 2_000 });
  const first = watch(bus.publish("a", 1));
  const second = watch(bus.publish("a", 1));
  await expect(bus.publish("a", 1)).rejects.toMatchObject({ code: "BACKPRESSURE" });
  await quiet();
  backend.session.publishes[0]?.accept();
  await quiet();
  expect([first.times, second.times]).toEqual([1, 1]);
  await expect(bus.publish("a", "x".repeat(2_000))).rejects.toMatchObject({ code: "BACKPRESSURE" });
  expect(bus.metrics().publishing).toEqual({ messages: 0, bytes: 0 });
  void bus.publish("a", 1);
  expect(bus.metrics().publishing.messages).toBe(1);
});

test("a signal that aborts before the call rejects it; one that aborts while it waits or flies says whether it may be stored", async () => {
  const { bus, backend } = await silentBus();
  await expect(bus.publish("a", 1, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  const flying = new AbortController();
  const flown = watch(bus.publish("a", 1, { signal: flying.signal }));
  await quiet();
  const waiting = new AbortController();
  const waited = watch(bus.publish("a", 1, { signal: waiting.signal }));
  flying.abort();
  waiting.abort();
  await quiet();
  expect([flown.code, waited.code]).toEqual(["ABORTED", "ABORTED"]);
  expect(flown.message).toContain("may be stored");
  expect(waited.message).toContain("not stored");
  expect(backend.session.publishes).toHaveLength(1);
  backend.session.publishes[0]?.accept();
  await quiet();
  expect(flown.times).toBe(1);
});

test("a signal's listener is gone once the publish is over", async () => {
  const { bus, backend } = await silentBus();
  const { signal } = new AbortController();
  const add = vi.spyOn(signal, "addEventListener");
  const remove = vi.spyOn(signal, "removeEventListener");
  void bus.publish("a", 1, { signal });
  await quiet();
  backend.session.publishes[0]?.accept();
  await quiet();
  expect(add).toHaveBeenCalledTimes(1);
  expect(remove).toHaveBeenCalledTimes(1);
});

test("one signal that aborts very many waiting publishes does so in a moment", async () => {
  const { bus, backend } = await silentBus();
  backend.onConnect = () => new Promise(() => undefined);
  backend.session.lose();
  await quiet();
  const controller = new AbortController();
  const receipts = Array.from({ length: 30_000 }, () => bus.publish("a", 1, { signal: controller.signal }));
  const results = Promise.allSettled(receipts);
  const startMs = performance.now();
  controller.abort();
  expect((await results).every(({ status }) => status === "rejected")).toBe(true);
  expect(performance.now() - startMs).toBeLessThan(2_000);
  expect(bus.metrics().publishing.messages).toBe(0);
});

test("close waits for open publishes, then rejects the rest: unknown if it was sent, closed if it was not", async () => {
  const { bus, backend, clock } = await silentBus();
  const answered = watch(bus.publish("a", 1));
  await quiet();
  const open = watch(bus.publish("a", 1));
  await quiet();
  const closing = bus.close({ timeoutMs: 1_000 });
  await quiet();
  backend.session.publishes[0]?.accept();
  await clock.advance(900);
  expect([answered.times, open.times]).toEqual([1, 0]);
  await clock.advance(200);
  await closing;
  expect(open.code).toBe("PUBLISH_UNKNOWN");
  expect(open.times).toBe(1);
  await expect(bus.publish("a", 1)).rejects.toMatchObject({ code: "CLOSED" });
  await clock.advance(60_000);
  expect(clock.timers).toBe(0);
});

test("what was told of its fate is not told again when the bus closes", async () => {
  const { bus, clock } = await silentBus();
  const seen = watch(bus.publish("a", 1, { timeoutMs: 100 }));
  await clock.advance(200);
  expect(seen.times).toBe(1);
  await bus.close();
  expect(bus.metrics()).toMatchObject({ publishFailed: 1, publishing: { messages: 0, bytes: 0 } });
});

test("what waits for a connection when the bus closes was certainly not stored", async () => {
  const { bus, backend, clock } = await silentBus();
  backend.onConnect = () => new Promise(() => undefined);
  backend.session.lose();
  await quiet();
  const seen = watch(bus.publish("a", 1));
  const closing = bus.close({ timeoutMs: 100 });
  await clock.advance(200);
  await closing;
  expect(seen.code).toBe("CLOSED");
});

test("what comes when the bus is closed, after a slow validation say, is refused and leaves no timer", async () => {
  let release: (value: { value: number }) => void = () => undefined;
  const slow = { "~standard": { version: 1, vendor: "test", validate: () => new Promise<{ value: number }>((resolve) => (release = resolve)) } } as const;
  const { bus, clock } = await fakeBus({ topics: defineTopics({ a: slow }) });
  const seen = watch(bus.publish("a", 1));
  await bus.close();
  release({ value: 1 });
  await quiet();
  expect(seen.code).toBe("CLOSED");
  expect(clock.timers).toBe(0);
});

test("a backend that throws at once, and does not reject, loses no publish: it is sent again, or late", async () => {
  const { bus, backend, clock } = await silentBus({ publishTimeoutMs: 1_000 });
  const first = backend.session;
  vi.spyOn(first, "publish").mockImplementation(() => {
    throw new TypeError("not a promise");
  });
  const again = watch(bus.publish("a", 1, { id: "again" }));
  await quiet();
  expect(bus.metrics().publishing.messages).toBe(1);
  await clock.advance(200);
  await quiet();
  expect(backend.session).not.toBe(first);
  expect(backend.session.publishes.map(({ ids }) => ids)).toEqual([["again"]]);
  backend.session.publishes[0]?.accept();
  await quiet();
  expect(again.value).toMatchObject({ id: "again" });

  vi.spyOn(backend.session, "publish").mockImplementation(() => {
    throw new TypeError("not a promise");
  });
  backend.onConnect = () => Promise.reject(lost);
  const late = watch(bus.publish("a", 1, { id: "late" }));
  await quiet();
  await clock.advance(1_200);
  await quiet();
  expect(late.code).toBe("PUBLISH_UNKNOWN");
});
