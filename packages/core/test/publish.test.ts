import { expect, test } from "vitest";
import { defineTopics } from "../src/topics/define-topics.ts";
import type { StandardResult, StandardSchemaV1 } from "../src/topics/standard-schema.ts";
import { deferred } from "../src/waiting.ts";
import { fakeBus } from "./fake-bus.ts";
import { quiet } from "./manual-clock.ts";

/** Answers a payload with a function by a promise, which the payload's own function makes; anything else at once. */
const slowFor = (answers: ReadonlyMap<unknown, Promise<StandardResult<unknown>>>): StandardSchemaV1<unknown> => ({
  "~standard": { version: 1, vendor: "test", validate: (value) => answers.get(value) ?? { value } },
});

test("a schema that answers later does not let later publishes of its topic go first; other topics do not wait", async () => {
  const first = deferred<StandardResult<unknown>>();
  const bad = deferred<StandardResult<unknown>>();
  const schema = slowFor(
    new Map([
      ["first", first.promise],
      ["bad", bad.promise],
    ]),
  );
  const { bus, backend } = await fakeBus({ topics: defineTopics({ a: schema, b: schema }) });
  const publishing = ["first", "second", "bad", "fourth"].map((payload) => bus.publish("a", payload));
  const answers = Promise.allSettled(publishing);
  await bus.publish("b", "other");
  bad.resolve({ issues: [{ message: "no" }] });
  await quiet();
  const bodies = (): unknown[] => backend.session.published.map(({ body }) => JSON.parse(Buffer.from(body).toString()));
  expect(bodies()).toEqual(["other"]);
  first.resolve({ value: "first" });
  expect((await answers).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
  expect(bodies()).toEqual(["other", "first", "second", "fourth"]);
  await bus.publish("a", "fifth");
  expect(bodies().at(-1)).toBe("fifth");
});
