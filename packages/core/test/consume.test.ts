import { expect, test } from "vitest";
import { type HalyardError, nonRetryable } from "../src/errors.ts";
import type { BusEvents } from "../src/events.ts";
import { ownHeaders } from "../src/message.ts";
import type { HandleStep } from "../src/middleware.ts";
import type { Outcome, WireMessage } from "../src/spi/message.ts";
import type { SubscribeOptions } from "../src/subscribe-options.ts";
import { defineTopics } from "../src/topics/define-topics.ts";
import type { StandardSchemaV1 } from "../src/topics/standard-schema.ts";
import { delivery } from "./fake-backend.ts";
import { type FakeBus, fakeBus } from "./fake-bus.ts";
import { quiet } from "./manual-clock.ts";

const nowMs = 1_700_000_000_000;
const mustNotRun: HandleStep = () => {
  throw new Error("The handler was not to be called.");
};

interface Told extends FakeBus {
  /** Values of one event. */
  heard<Name extends keyof BusEvents>(name: Name): BusEvents[Name][];
  give(id: string, changes?: Partial<WireMessage>, deliveries?: number): Promise<Outcome | undefined>;
}

async function consuming(options: SubscribeOptions, handler: HandleStep, busOptions = {}): Promise<Told> {
  const fake = await fakeBus({ retry: { jitter: 0 }, random: () => 0.5, ...busOptions });
  const heard = new Map<string, unknown[]>();
  for (const name of ["retry", "dead-letter", "message-drop", "handler-failure"] as const) {
    heard.set(name, []);
    fake.bus.on(name, (value) => heard.get(name)?.push(value));
  }
  await fake.bus.subscribe(["a.*", "b"], options, handler);
  const source = fake.backend.subscription;
  return {
    ...fake,
    heard: <Name extends keyof BusEvents>(name: Name) => heard.get(name) as BusEvents[Name][],
    async give(id, changes = {}, deliveries = 1) {
      source.deliver(delivery(id, changes, deliveries));
      await quiet();
      return source.settled.findLast(({ receipt }) => receipt === id)?.outcome;
    },
  };
}

test("what the handler gets is the message as it was published", async () => {
  let seen: unknown;
  let context: unknown;
  const { give } = await consuming({ group: "g" }, (message, { attempt, deliveries, group }) => {
    seen = message;
    context = { attempt, deliveries, group };
  });
  await give(
    "m",
    {
      attempt: 2,
      key: "k",
      type: "t",
      source: "s",
      correlationId: "c",
      replyTo: "r",
      headers: { h: "1", [ownHeaders.causationId]: "p" },
      expiresAtMs: nowMs + 1,
    },
    3,
  );
  expect(seen).toEqual({
    id: "m",
    topic: "a.b",
    payload: { n: 1 },
    timeMs: nowMs,
    headers: { h: "1" },
    priority: 4,
    key: "k",
    type: "t",
    source: "s",
    correlationId: "c",
    causationId: "p",
    replyTo: "r",
    expiresAtMs: nowMs + 1,
  });
  expect(context).toEqual({ attempt: 2, deliveries: 3, group: "g" });
});

test("what no pattern matches is handed back to the inbox with the same attempt, ten times, then a dead letter", async () => {
  const { give, bus } = await consuming({ group: "g" }, mustNotRun);
  let headers: Readonly<Record<string, string>> = { own: "1" };
  for (let times = 1; times < 10; times++) {
    const outcome = await give(`m${times}`, { topic: "x", attempt: 2, headers });
    expect(outcome).toMatchObject({
      type: "move",
      to: "inbox",
      delayMs: 1_250,
      message: { attempt: 2, headers: { own: "1", [ownHeaders.unmatched]: String(times) } },
    });
    if (outcome?.type === "move") headers = outcome.message.headers;
  }
  expect(await give("m10", { topic: "x", attempt: 2, headers })).toMatchObject({
    to: "dead-letters",
    message: { headers: { [ownHeaders.deadReason]: "unmatched", [ownHeaders.deadAttempts]: "1" } },
  });
  expect(bus.metrics().unmatched).toBe(10);
});

test("hand-backs count in a row: a member that had the message begins anew", async () => {
  const { give } = await consuming({ group: "g" }, () => Promise.reject(new Error("no")));
  const outcome = await give("m", { headers: { [ownHeaders.unmatched]: "9" } });
  expect(outcome).toMatchObject({ type: "move", to: "inbox", message: { attempt: 2 } });
  expect(outcome?.type === "move" && outcome.message.headers[ownHeaders.unmatched]).toBeUndefined();
});

test("what was sent to this group is for it, whatever its topic; what was sent to another is not", async () => {
  let runs = 0;
  const { give } = await consuming({ group: "g" }, () => {
    runs++;
  });
  expect(await give("mine", { topic: "x", headers: { [ownHeaders.to]: "g" } })).toEqual({ type: "ack" });
  expect(await give("other", { topic: "x", headers: { [ownHeaders.to]: "h" } })).toMatchObject({ to: "inbox" });
  expect(runs).toBe(1);
});

test("an expired message never reaches a handler: dropped and counted, or a dead letter where asked", async () => {
  const dropping = await consuming({ group: "g" }, mustNotRun);
  expect(await dropping.give("m", { expiresAtMs: nowMs })).toEqual({ type: "ack" });
  expect(dropping.bus.metrics().expired).toBe(1);
  expect(dropping.heard("message-drop")).toMatchObject([{ id: "m", reason: "expired" }]);
  const keeping = await consuming({ group: "g", expired: "dead-letter" }, mustNotRun);
  expect(await keeping.give("m", { expiresAtMs: nowMs })).toMatchObject({ to: "dead-letters", message: { headers: { [ownHeaders.deadReason]: "expired" } } });
});

test("messageTtlMs counts from publishing, and the sooner of the two times counts", async () => {
  let runs = 0;
  const { give, clock } = await consuming({ group: "g", messageTtlMs: 1_000 }, () => {
    runs++;
  });
  await clock.advance(999);
  await give("fresh");
  await clock.advance(1);
  await give("old");
  await give("old too", { expiresAtMs: nowMs + 60_000 });
  expect(runs).toBe(1);
});

test("an early message goes to the inbox for as long as it is early", async () => {
  const { give } = await consuming({ group: "g" }, mustNotRun);
  expect(await give("m", { notBeforeMs: nowMs + 500 })).toMatchObject({ type: "move", to: "inbox", delayMs: 500, message: { attempt: 1 } });
});

test("an early live copy waits in its process", async () => {
  const runs: number[] = [];
  const fake = await consuming({}, () => {
    runs.push(fake.clock.nowMs());
  });
  await fake.give("m", { notBeforeMs: nowMs + 500 });
  await fake.clock.advance(499);
  expect(runs).toEqual([]);
  await fake.clock.advance(1);
  expect(runs).toEqual([nowMs + 500]);
});

test.for<[string, Partial<WireMessage>, string]>([
  ["bytes that are not JSON", { body: Buffer.from("{") }, "DECODE_FAILED"],
  ["an unknown codec", { contentType: "application/x-unknown" }, "UNKNOWN_CODEC"],
  ["an unknown compression", { contentEncoding: "unknown" }, "UNKNOWN_COMPRESSION"],
  ["damaged compression", { contentEncoding: "gzip" }, "DECODE_FAILED"],
])("%s: dead-lettered at once without a run, and the next message flows", async ([, changes, code]) => {
  let runs = 0;
  const { give } = await consuming({ group: "g" }, () => {
    runs++;
  });
  expect(await give("bad", changes)).toMatchObject({
    to: "dead-letters",
    message: { headers: { [ownHeaders.deadReason]: "decode", [ownHeaders.errorCode]: code, [ownHeaders.deadAttempts]: "0" } },
  });
  expect(await give("good")).toEqual({ type: "ack" });
  expect(runs).toBe(1);
});

test("a body beyond the bus's limit is not decoded", async () => {
  const { give } = await consuming({ group: "g" }, mustNotRun, { limits: { bodyBytesMax: 5 } });
  expect(await give("m", { body: Buffer.from("123456") })).toMatchObject({ message: { headers: { [ownHeaders.errorCode]: "PAYLOAD_TOO_LARGE" } } });
});

test("a payload that its schema refuses is a dead letter, also where the schema takes its time", async () => {
  const answers: StandardSchemaV1 = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        const result = (value as { n: number }).n === 1 ? { value: "valid" } : { issues: [{ message: "n must be 1" }] };
        return (value as { slow?: boolean }).slow ? Promise.resolve(result) : result;
      },
    },
  };
  const payloads: unknown[] = [];
  const topics = defineTopics({ "a.*": answers });
  const { give } = await consuming({ group: "g" }, ({ payload }) => void payloads.push(payload), { topics });
  const body = (value: unknown): Partial<WireMessage> => ({ body: Buffer.from(JSON.stringify(value)) });
  expect(await give("1", body({ n: 2 }))).toMatchObject({ to: "dead-letters", message: { headers: { [ownHeaders.errorCode]: "INVALID_PAYLOAD" } } });
  expect(await give("2", body({ n: 2, slow: true }))).toMatchObject({ to: "dead-letters" });
  expect(await give("3", body({ n: 1, slow: true }))).toEqual({ type: "ack" });
  expect(payloads).toEqual(["valid"]);
});

test("a failure is retried with backoff and attempt + 1, to the inbox, and dead-lettered after the last attempt", async () => {
  const { give, heard } = await consuming({ group: "g", retry: { attemptsMax: 3, delayMs: 100 } }, () => {
    throw new Error("no");
  });
  const first = await give("1");
  expect(first).toMatchObject({ to: "inbox", delayMs: 100, message: { attempt: 2, headers: { [ownHeaders.firstFailedAt]: String(nowMs) } } });
  const headers = first?.type === "move" ? first.message.headers : {};
  expect(await give("2", { attempt: 2, headers, notBeforeMs: nowMs })).toMatchObject({ delayMs: 200, message: { attempt: 3, notBeforeMs: undefined } });
  expect(await give("3", { attempt: 3, headers })).toMatchObject({
    to: "dead-letters",
    message: { attempt: 3, headers: { [ownHeaders.deadAttempts]: "3", [ownHeaders.deadReason]: "attempts", [ownHeaders.firstFailedAt]: String(nowMs) } },
  });
  expect(heard("retry").map(({ attempt, delayMs }) => [attempt, delayMs])).toEqual([
    [1, 100],
    [2, 200],
  ]);
  expect(heard("dead-letter")).toMatchObject([{ id: "3", attempt: 3, reason: "attempts", group: "g" }]);
});

test("a message's own number of attempts wins; nonsense in it is ignored", async () => {
  const { give } = await consuming({ group: "g" }, () => Promise.reject(new Error("no")));
  expect(await give("1", { headers: { [ownHeaders.attemptsMax]: "1" } })).toMatchObject({ to: "dead-letters" });
  expect(await give("2", { attempt: 5, headers: { [ownHeaders.attemptsMax]: "6" } })).toMatchObject({ to: "inbox" });
  expect(await give("3", { attempt: 4, headers: { [ownHeaders.attemptsMax]: "-7" } })).toMatchObject({ to: "inbox" });
});

test("what is not retryable is a dead letter at once", async () => {
  const { give, bus } = await consuming({ group: "g" }, () => {
    throw nonRetryable(new Error("for ever"));
  });
  expect(await give("m")).toMatchObject({
    to: "dead-letters",
    message: { headers: { [ownHeaders.deadReason]: "non-retryable", [ownHeaders.errorMessage]: "for ever" } },
  });
  expect(bus.metrics()).toMatchObject({ failed: 1, retried: 0, deadLettered: 1 });
});

test("deadLetter: false reports what fails for good, and drops it", async () => {
  const { give, heard } = await consuming({ group: "g", deadLetter: false, retry: { attemptsMax: 1 } }, () => {
    throw new Error("no");
  });
  expect(await give("m")).toEqual({ type: "ack" });
  expect(heard("message-drop")).toMatchObject([{ id: "m", reason: "failed" }]);
});

test("context.retry and context.deadLetter decide, however the handler ends", async () => {
  const { give } = await consuming({ group: "g", retry: { attemptsMax: 3, delayMs: 100 } }, ({ id }, context) => {
    if (id.includes("retry")) context.retry(id.includes("77") ? 77 : undefined);
    else context.deadLetter("I do not want it");
    if (id.includes("throw")) throw new Error("thrown");
  });
  expect(await give("retry")).toMatchObject({ to: "inbox", delayMs: 100, message: { attempt: 2 } });
  expect(await give("retry 77 throw")).toMatchObject({ to: "inbox", delayMs: 77 });
  expect(await give("retry last", { attempt: 3 })).toMatchObject({ to: "dead-letters" });
  expect(await give("letter")).toMatchObject({
    to: "dead-letters",
    message: { headers: { [ownHeaders.deadReason]: "requested", [ownHeaders.errorMessage]: "I do not want it" } },
  });
  expect(await give("letter throw")).toMatchObject({ message: { headers: { [ownHeaders.errorMessage]: "thrown" } } });
});

test("context.retry refuses what is no delay", async () => {
  const codes: unknown[] = [];
  const { give } = await consuming({ group: "g" }, (_, context) => {
    for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      try {
        context.retry(wrong);
      } catch (error) {
        codes.push((error as HalyardError).code);
      }
    }
  });
  expect(await give("m")).toEqual({ type: "ack" });
  expect(codes).toEqual(Array(3).fill("INVALID_OPTIONS"));
});

test("what a handler publishes carries on the conversation, unless it says otherwise", async () => {
  const { give, backend } = await consuming({ group: "g" }, async (_, context) => {
    await context.publish("out", 1);
    await context.publish("out", 1, { correlationId: "own" });
  });
  await give("m1");
  await give("m2", { correlationId: "c" });
  expect(backend.session.published.map((message) => [message.correlationId, message.headers[ownHeaders.causationId]])).toEqual([
    ["m1", "m1"],
    ["own", "m1"],
    ["c", "m2"],
    ["own", "m2"],
  ]);
});

test("what a handler publishes stays in the trace of its cause, unless it brings its own", async () => {
  const { give, backend } = await consuming({ group: "g" }, async (_, context) => {
    await context.publish("out", 1);
    await context.publish("out", 1, { headers: { other: "1" } });
    await context.publish("out", 1, { headers: { traceparent: "own" } });
  });
  await give("m", { headers: { traceparent: "00-1-2-01", tracestate: "vendor=1", other: "0" } });
  await give("untraced", { headers: { tracestate: "vendor=1" } });
  const traced = { traceparent: "00-1-2-01", tracestate: "vendor=1" };
  const causedBy = (id: string) => ({ [ownHeaders.causationId]: id });
  expect(backend.session.published.map(({ headers }) => ({ ...headers }))).toEqual([
    { ...traced, ...causedBy("m") },
    { ...traced, other: "1", ...causedBy("m") },
    { traceparent: "own", ...causedBy("m") },
    causedBy("untraced"),
    { other: "1", ...causedBy("untraced") },
    { traceparent: "own", ...causedBy("untraced") },
  ]);
});

test("a thenable that is no promise is awaited", async () => {
  const { give, bus } = await consuming({ group: "g", retry: { attemptsMax: 1 } }, ({ id }) => ({
    // biome-ignore lint/suspicious/noThenProperty: promises of other libraries look like this
    then: (yes: () => void, no: (error: unknown) => void) => void (id === "good" ? yes() : no(new Error("no"))),
  }));
  expect(await give("good")).toEqual({ type: "ack" });
  expect(await give("bad")).toMatchObject({ to: "dead-letters" });
  expect(bus.metrics()).toMatchObject({ handled: 1, failed: 1 });
});

test("live: a repeated id is dropped, and told", async () => {
  let runs = 0;
  const { give, heard, bus } = await consuming({}, () => {
    runs++;
  });
  await give("m");
  await give("m");
  expect(runs).toBe(1);
  expect(heard("message-drop")).toMatchObject([{ id: "m", reason: "duplicate" }]);
  expect(bus.metrics().duplicates).toBe(1);
});

test("dedup of a group suppresses what was handled; never a retry, a redelivery, a redrive, or what was not handled", async () => {
  let runs = 0;
  const { give, clock } = await consuming({ group: "g", dedup: { windowMs: 10_000 }, retry: { attemptsMax: 1 }, deadLetter: false }, ({ headers }) => {
    runs++;
    if (headers.fail !== undefined) throw new Error("no");
  });
  const runsOf = async (...given: Parameters<Told["give"]>): Promise<number> => {
    const before = runs;
    await give(...given);
    return runs - before;
  };
  expect(await runsOf("m")).toBe(1);
  expect(await runsOf("m")).toBe(0);
  expect(await runsOf("m", {}, 2)).toBe(1);
  expect(await runsOf("m", { attempt: 2, headers: { [ownHeaders.attemptsMax]: "3" } })).toBe(1);
  expect(await runsOf("m", { headers: { [ownHeaders.redriven]: "1" } })).toBe(1);
  expect(await runsOf("failed", { headers: { fail: "1" } })).toBe(1);
  expect(await runsOf("failed")).toBe(1);
  expect(await runsOf("late", { expiresAtMs: nowMs - 1 })).toBe(0);
  expect(await runsOf("late")).toBe(1);
  await clock.advance(30_000);
  expect(await runsOf("m")).toBe(1);
});

test("the diagnosis of a failure in place says when it first failed", async () => {
  const { give, clock, backend } = await consuming({ group: "g", ordered: true, retry: { attemptsMax: 3, delayMs: 1_000 } }, () => {
    throw new Error("no");
  });
  await give("m", { key: "k" });
  await clock.advance(3_000);
  expect(backend.subscription.settled).toMatchObject([
    {
      outcome: {
        to: "dead-letters",
        message: { headers: { [ownHeaders.firstFailedAt]: String(nowMs), [ownHeaders.lastFailedAt]: String(nowMs + 3_000), [ownHeaders.deadAttempts]: "3" } },
      },
    },
  ]);
});

test("retries in place end when their time is up, even if attempts are left", async () => {
  let runs = 0;
  const { give, clock, backend } = await consuming({ group: "g", ordered: true, inPlaceMsMax: 5_000, retry: { attemptsMax: 100, delayMs: 1_000 } }, () => {
    runs++;
    throw new Error("no");
  });
  await give("m", { key: "k" });
  await clock.advance(60_000);
  expect(runs).toBe(3); // after 0, 1 and 3 seconds; the next would come after 7
  expect(backend.subscription.outcomes).toEqual(["m:dead-letters"]);
});
