/** What the compiler refuses in TypeScript is refused at run time too: in JavaScript nothing else would tell, and the message would go another way. */
import { describe, expect, test } from "vitest";
import { createBus } from "../src/create-bus.ts";
import { FakeBackend } from "./fake-backend.ts";
import { fakeBus } from "./fake-bus.ts";

type Loose = Record<string, (...values: unknown[]) => unknown>;

/** The bus as JavaScript sees it. */
async function loosely(): Promise<{ readonly bus: Loose; readonly letters: Loose; readonly groups: Loose; readonly published: () => number }> {
  const { bus, backend } = await fakeBus();
  const loose = (value: object): Loose => new Proxy(value, { get: (target, name) => Reflect.get(target, name).bind(target) }) as Loose;
  return { bus: loose(bus), letters: loose(bus.deadLetters("g")), groups: loose(bus.groups), published: () => backend.session.published.length };
}

const firstOf = (entries: unknown): unknown => (entries as AsyncGenerator).next();

describe("a call that is wrong is refused, and the error says what is right", () => {
  test.for<[string, (parts: Awaited<ReturnType<typeof loosely>>) => unknown, string, RegExp]>([
    ["publish without a topic, as the first of all", ({ bus }) => bus.publish?.(undefined, 1), "INVALID_TOPIC", /"undefined" is not a topic/],
    ["publish with a misspelt option", ({ bus }) => bus.publish?.("a", 1, { delay: 100 }), "INVALID_OPTIONS", /publish has no option "delay".*delayMs/],
    ["send with a misspelt option", ({ bus }) => bus.send?.("g", "a", 1, { ttl: 100 }), "INVALID_OPTIONS", /publish has no option "ttl".*ttlMs/],
    ["publishBatch of one that is no list", ({ bus }) => bus.publishBatch?.({ topic: "a", payload: 1 }), "INVALID_OPTIONS", /takes a list/],
    [
      "subscribe with its options last",
      ({ bus }) => bus.subscribe?.("a", () => 1, { group: "g" }),
      "INVALID_OPTIONS",
      /subscribe\(pattern, options, handler\)/,
    ],
    ["groups.define with a misspelt field", ({ groups }) => groups.define?.("g", { patterns: ["a"] }), "INVALID_OPTIONS", /"patterns".*add, drop/],
    ["groups.define without patterns", ({ groups }) => groups.define?.("g"), "INVALID_OPTIONS", /takes an object/],
    ["groups.define with a text", ({ groups }) => groups.define?.("g", { add: "a" }), "INVALID_OPTIONS", /add and drop are lists/],
    ["list with a misspelt option", ({ letters }) => letters.list?.({ limti: 1 }), "INVALID_OPTIONS", /"limti".*limit/],
    ["list of less than nothing", ({ letters }) => letters.list?.({ limit: -1 }), "INVALID_OPTIONS", /limit must be/],
    ["redrive of nothing", ({ letters }) => letters.redrive?.(), "INVALID_OPTIONS", /Say which letters/],
    ["redrive with a misspelt payload", ({ letters }) => letters.redrive?.("id", { paylod: 1 }), "INVALID_OPTIONS", /"paylod".*payload/],
    ["history with a misspelt option", ({ bus }) => firstOf(bus.history?.("#", { form: "start" })), "INVALID_OPTIONS", /"form".*from/],
    ["history from a group's beginning", ({ bus }) => firstOf(bus.history?.("#", { from: "earliest" })), "INVALID_OPTIONS", /from must be "start"/],
    ["history with a limit in words", ({ bus }) => firstOf(bus.history?.("#", { limit: "3" })), "INVALID_OPTIONS", /limit must be a number/],
    ["an event that is not there", ({ bus }) => bus.on?.("deadletter", () => 1), "INVALID_OPTIONS", /no event "deadletter".*dead-letter/],
    ["an event without a listener", ({ bus }) => bus.on?.("retry"), "INVALID_OPTIONS", /on needs a listener/],
  ])("%s", async ([, call, code, text]) => {
    const parts = await loosely();
    await expect((async () => call(parts))()).rejects.toMatchObject({ code, message: expect.stringMatching(text) });
    expect(parts.published()).toBe(0);
  });

  test.for<[string, unknown, RegExp]>([
    ["createBus without options", undefined, /createBus takes an object/],
    ["a logger that cannot log", { backend: new FakeBackend(), logger: {} }, /logger must have debug.*pino and console/],
    ["a logger that cannot log all", { backend: new FakeBackend(), logger: { debug() {}, info() {}, error() {} } }, /missing: warn/],
  ])("%s", async ([, options, text]) => {
    await expect((createBus as (options: unknown) => Promise<unknown>)(options)).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
      message: expect.stringMatching(text),
    });
  });
});

test("the console is a logger", async () => {
  const bus = await createBus({ backend: new FakeBackend(), logger: { ...console, debug: () => undefined, info: () => undefined } });
  await bus.close();
});
