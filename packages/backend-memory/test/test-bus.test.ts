/** The testkit's fixture for users' own tests, on the backend that users pass to it. */
import { defineTopics, isHalyardError, type Middleware, nonRetryable, type } from "@halyard/core";
import { systemClock } from "@halyard/core/spi";
import { createTestBus, manualClock } from "@halyard/testkit";
import { expect, test } from "vitest";
import { memory } from "../src/index.ts";

test("it records what was published and handled, in order", async () => {
  await using bus = await createTestBus({ backend: memory() });
  await bus.subscribe("task.*", { group: "workers" }, () => undefined);
  for (const id of ["t1", "t2"]) await bus.publish("task.submitted", { id }, { headers: { from: "test" } });
  await bus.settled();
  expect(bus.published.map(({ topic, payload, headers }) => ({ topic, payload, headers }))).toEqual([
    { topic: "task.submitted", payload: { id: "t1" }, headers: { from: "test" } },
    { topic: "task.submitted", payload: { id: "t2" }, headers: { from: "test" } },
  ]);
  expect(bus.handled.map(({ message, group, attempt }) => [message.payload, group, attempt])).toEqual([
    [{ id: "t1" }, "workers", 1],
    [{ id: "t2" }, "workers", 1],
  ]);
  expect(bus.handled[0]?.message.id).toBe(bus.published[0]?.id);
});

test("retries come when the clock is advanced, and end as a dead letter with its reason", async () => {
  await using bus = await createTestBus({ backend: memory(), retry: { attemptsMax: 3, delayMs: 1_000, factor: 2 } });
  const startedAt: number[] = [];
  await bus.subscribe("task", { group: "workers" }, () => {
    startedAt.push(bus.clock.monotonicMs());
    throw new Error("not today");
  });
  await bus.publish("task", 1);
  await bus.settled();
  expect([bus.retried.length, bus.deadLettered.length, startedAt.length]).toEqual([1, 0, 1]);
  await bus.advance(1_000);
  expect(startedAt).toHaveLength(2);
  await bus.advance(1_999);
  expect(startedAt).toHaveLength(2);
  await bus.advance(1);
  await bus.settled();
  expect(startedAt.map((ms) => ms - (startedAt[0] ?? 0))).toEqual([0, 1_000, 3_000]);
  expect(bus.retried.map(({ attempt, delayMs, message }) => [attempt, delayMs, message?.payload])).toEqual([
    [1, 1_000, 1],
    [2, 2_000, 1],
  ]);
  expect(bus.deadLettered).toMatchObject([
    { topic: "task", group: "workers", attempt: 3, reason: "attempts", message: { payload: 1 }, error: { message: "not today" } },
  ]);
  expect(bus.handled).toHaveLength(0);
  expect(await bus.deadLetters("workers").count()).toBe(1);
});

test("a handler that asked for a retry or a dead letter has not handled the message", async () => {
  await using bus = await createTestBus({ backend: memory() });
  await bus.subscribe("task", { group: "workers" }, (message, context) => {
    if (message.payload === "dead") context.deadLetter("unwanted");
    else if (context.attempt === 1) context.retry(5_000);
  });
  await bus.publish("task", "dead");
  await bus.publish("task", "again");
  await bus.settled();
  expect([bus.handled.length, bus.deadLettered.length, bus.retried[0]?.delayMs]).toEqual([0, 1, 5_000]);
  await bus.advance(5_000);
  await bus.settled();
  expect(bus.handled.map(({ message, attempt }) => [message.payload, attempt])).toEqual([["again", 2]]);
});

test("messages that expire, wait an hour, or cannot be retried do so in no time", async () => {
  await using bus = await createTestBus({ backend: memory() });
  const seen: unknown[] = [];
  await bus.publish("task", "nobody listens yet"); // no group: gone
  await bus.groups.define("workers", { add: ["task"] });
  await bus.publish("task", "expires", { ttlMs: 1_000 });
  await bus.publish("task", "delayed", { delayMs: 3_600_000 });
  await bus.advance(2_000);
  await bus.subscribe("task", { group: "workers" }, ({ payload }) => {
    seen.push(payload);
    throw nonRetryable(new Error("never"));
  });
  await bus.settled();
  expect(seen).toEqual([]);
  await bus.advance(3_600_000);
  expect(seen).toEqual(["delayed"]);
  expect(bus.deadLettered).toMatchObject([{ reason: "non-retryable" }]);
});

test("a hundred days with a handler that hangs pass quickly, tick by tick", async () => {
  await using bus = await createTestBus({ backend: memory(), retry: { attemptsMax: 2, delayMs: 86_400_000, delayMsMax: 86_400_000 } });
  await bus.subscribe(
    "task",
    { group: "workers", handlerTimeoutMs: 60_000 },
    (_message, { signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
  );
  await bus.publish("task", 1);
  const startMs = performance.now();
  await bus.advance(100 * 86_400_000);
  await bus.settled();
  expect(bus.deadLettered).toMatchObject([{ reason: "attempts", error: { code: "HANDLER_TIMEOUT" } }]);
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

test("settled waits for whole chains of messages, and for handlers that take turns", async () => {
  await using bus = await createTestBus({ backend: memory() });
  await bus.subscribe("count", { group: "counters", concurrency: 4 }, async (message, context) => {
    const left = message.payload as number;
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (left > 0) await context.publish("count", left - 1);
  });
  await bus.publish("count", 50);
  await bus.settled();
  expect(bus.handled).toHaveLength(51);
});

test("settled says what goes on when it never gets quiet", async () => {
  await using bus = await createTestBus({ backend: memory() });
  await bus.subscribe("task", { group: "workers" }, () => new Promise<void>((resolve) => bus.clock.after(60_000, resolve)));
  await bus.publish("task", 1);
  await expect(bus.settled({ deadlineMs: 100 })).rejects.toMatchObject({
    code: "TIMEOUT",
    details: { running: 1 },
    message: expect.stringContaining("1 handlers running"),
  });
  await bus.advance(60_000);
  await bus.settled();
  expect(bus.handled).toHaveLength(1);
});

test("what is retried in place, what waits behind it, and what waits for nobody is quiet", async () => {
  await using bus = await createTestBus({ backend: memory() });
  await bus.groups.define("absent", { add: ["#"] });
  await bus.subscribe("task", { group: "ordered", ordered: true, concurrency: 2, retry: { delayMs: 1_000 } }, (_message, { attempt }) => {
    if (attempt === 1) throw new Error("once");
  });
  await bus.publish("task", 1, { key: "k" });
  await bus.publish("task", 2, { key: "k" });
  await bus.settled();
  expect([bus.handled.length, bus.retried.length]).toEqual([0, 1]);
  await bus.advance(1_000);
  await bus.settled();
  await bus.advance(1_000);
  await bus.settled();
  expect(bus.handled.map(({ message }) => message.payload)).toEqual([1, 2]);
});

test("live subscriptions, typed topics and users' own middleware work as on any bus, and forget() starts a new act", async () => {
  const topics = defineTopics({ "metric.*": type<{ readonly value: number }>() });
  const double: Middleware = { publish: (draft, next) => next({ ...draft, payload: { value: 2 } }) };
  await using bus = await createTestBus({ backend: memory(), topics, middleware: [double] });
  await bus.subscribe("metric.#", ({ payload }) => void payload.value);
  await bus.publish("metric.cpu", { value: 1 });
  await bus.settled();
  expect(bus.published[0]?.payload).toEqual({ value: 2 });
  expect(bus.handled).toMatchObject([{ group: undefined, message: { payload: { value: 2 } } }]);
  bus.forget();
  expect([bus.published.length, bus.handled.length]).toEqual([0, 0]);
});

test("buses that share a backend and a clock keep records of their own", async () => {
  const [backend, clock] = [memory(), manualClock()];
  await using left = await createTestBus({ backend, clock });
  await using right = await createTestBus({ backend, clock });
  await right.subscribe("task", { group: "workers" }, () => undefined);
  await left.publish("task", 1);
  await right.settled();
  expect([left.published.length, left.handled.length, right.published.length, right.handled.length]).toEqual([1, 0, 0, 1]);
});

test("a bus on another clock cannot be advanced, and says so", async () => {
  await using bus = await createTestBus({ backend: memory(), clock: systemClock });
  const error = await bus.advance(1).catch((thrown: unknown) => thrown);
  expect(isHalyardError(error, "INVALID_OPTIONS")).toBe(true);
  await bus.subscribe("task", { group: "workers" }, () => undefined);
  await bus.publish("task", 1);
  await bus.settled();
  expect(bus.handled).toHaveLength(1);
});
