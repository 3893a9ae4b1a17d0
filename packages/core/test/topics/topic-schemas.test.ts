import { expect, test } from "vitest";
import { HalyardError } from "../../src/errors.ts";
import { defineTopics, type } from "../../src/topics/define-topics.ts";
import type { StandardIssue, StandardSchemaV1 } from "../../src/topics/standard-schema.ts";
import { validateReceived, validateToPublish } from "../../src/topics/topic-schemas.ts";

/** A schema that calls `read`, which returns the value or throws a text. */
function schemaOf<Input, Output>(read: (value: unknown) => Output, asynchronous = false): StandardSchemaV1<Input, Output> & { asked: number } {
  const schema = {
    asked: 0,
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: (value: unknown) => {
        schema.asked++;
        const result = resultOf(read, value);
        return asynchronous ? Promise.resolve(result) : result;
      },
    },
  };
  return schema;
}

function resultOf<Output>(read: (value: unknown) => Output, value: unknown): { readonly value: Output } | { readonly issues: readonly StandardIssue[] } {
  try {
    return { value: read(value) };
  } catch (error) {
    return { issues: [{ message: String(error), path: ["items", { key: 0 }] }] };
  }
}

const text = (value: unknown): string => {
  if (typeof value === "string") return value;
  throw "not a text";
};
const numberFromText = (value: unknown): number => Number(text(value));

function errorOf(run: () => unknown): HalyardError {
  try {
    run();
  } catch (error) {
    if (error instanceof HalyardError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("a valid payload comes back as the schema makes it, synchronously", () => {
  const { schemas } = defineTopics({ "price.*": schemaOf<string, number>(numberFromText) });
  expect(validateReceived(schemas, "price.eur", "1.5")).toBe(1.5);
});

test("what is published travels as it was given, so that the receiver can apply the schema again", () => {
  const { schemas } = defineTopics({ "price.*": schemaOf<string, number>(numberFromText) });
  const sent = validateToPublish(schemas, "price.eur", "1.5");
  expect(sent).toBe("1.5");
  expect(validateReceived(schemas, "price.eur", sent)).toBe(1.5);
});

test("an invalid payload is INVALID_PAYLOAD, not retryable, with topic and issues", () => {
  const { schemas } = defineTopics({ "price.*": schemaOf<string, number>(numberFromText) });
  for (const validate of [validateToPublish, validateReceived]) {
    const error = errorOf(() => validate(schemas, "price.eur", 1.5));
    expect(error).toMatchObject({ code: "INVALID_PAYLOAD", retryable: false });
    expect(error.details).toEqual({ topic: "price.eur", issues: [{ message: "not a text", path: "items.0" }] });
    expect(error.message).toContain("items.0: not a text");
  }
});

test("a topic that no key matches is not checked", () => {
  const { schemas } = defineTopics({ "price.*": schemaOf<string, number>(numberFromText) });
  expect(validateReceived(schemas, "cost.eur", 7)).toBe(7);
  expect(validateToPublish(undefined, "price.eur", 7)).toBe(7);
});

test("of several matching schemas the most specific is asked first, and one that accepts is enough", () => {
  const everything = schemaOf<unknown, string>((value) => `everything ${value}`);
  const star = schemaOf<unknown, string>((value) => `star ${text(value)}`);
  const literal = schemaOf<unknown, string>((value) => {
    if (value === "exact") return "literal";
    throw "not exact";
  });
  const { schemas } = defineTopics({ "a.#": everything, "a.*": star, "a.b": literal });
  expect(validateReceived(schemas, "a.b", "exact")).toBe("literal");
  expect(validateReceived(schemas, "a.b", "x")).toBe("star x");
  expect(validateReceived(schemas, "a.b", 1)).toBe("everything 1");
  expect(everything.asked).toBe(1);
});

test("where all refuse, the issues of the most specific are told", () => {
  const refuse = (reason: string) =>
    schemaOf<unknown, never>(() => {
      throw reason;
    });
  const { schemas } = defineTopics({ "#": refuse("vague"), "a.b": refuse("specific") });
  expect(errorOf(() => validateReceived(schemas, "a.b", 1)).message).toContain("specific");
});

test("asynchronous schemas resolve and reject in the same way", async () => {
  const { schemas } = defineTopics({
    "price.*": schemaOf<string, number>(numberFromText, true),
    "price.#": schemaOf<number, number>((value) => {
      if (value === 2) return 2;
      throw "not two";
    }),
  });
  await expect(validateReceived(schemas, "price.eur", "1.5")).resolves.toBe(1.5);
  await expect(validateToPublish(schemas, "price.eur", "1.5")).resolves.toBe("1.5");
  await expect(validateReceived(schemas, "price.eur", 2)).resolves.toBe(2);
  await expect(validateReceived(schemas, "price.eur", 3)).rejects.toMatchObject({ code: "INVALID_PAYLOAD", details: { issues: [{ message: "not a text" }] } });
});

test("a schema that fails instead of answering is INVALID_PAYLOAD with its cause", async () => {
  const cause = new Error("out of order");
  const broken = (validate: () => never | Promise<never>): StandardSchemaV1 => ({ "~standard": { version: 1, vendor: "test", validate } });
  const { schemas } = defineTopics({
    sync: broken(() => {
      throw cause;
    }),
    later: broken(() => Promise.reject(cause)),
  });
  expect(errorOf(() => validateReceived(schemas, "sync", 1))).toMatchObject({ code: "INVALID_PAYLOAD", cause });
  await expect(validateReceived(schemas, "later", 1)).rejects.toMatchObject({ code: "INVALID_PAYLOAD", cause });
});

test("an error shows the first twenty of thousands of issues", () => {
  const issues = Array.from({ length: 5_000 }, (_, index) => ({ message: `fault ${index}` }));
  const { schemas } = defineTopics({ a: { "~standard": { version: 1, vendor: "test", validate: () => ({ issues }) } } });
  const error = errorOf(() => validateReceived(schemas, "a", 1));
  expect(error.details.issues).toHaveLength(20);
  expect(error.message).toMatch(/: fault 0; fault 1; fault 2; and 4997 more$/);
});

test("more distinct topics than are remembered are still checked", () => {
  const { schemas } = defineTopics({ "price.*": schemaOf<string, string>(text) });
  for (let index = 0; index < 25_000; index++) expect(validateReceived(schemas, `price.${index}`, "x")).toBe("x");
  expect(errorOf(() => validateReceived(schemas, "price.0", 1)).code).toBe("INVALID_PAYLOAD");
});

test("type<Payload>() checks nothing", () => {
  const { schemas } = defineTopics({ a: type<{ id: string }>() });
  expect(validateReceived(schemas, "a", 1)).toBe(1);
});

test("a key that is no pattern, or a value that is no schema, is refused when the map is defined", () => {
  expect(errorOf(() => defineTopics({ "a..b": type() })).code).toBe("INVALID_PATTERN");
  for (const value of [undefined, null, "string", {}, { "~standard": {} }]) {
    expect(errorOf(() => defineTopics({ a: value as never })).code).toBe("INVALID_OPTIONS");
  }
});

test("a schema may be a function with properties, as arktype's are", () => {
  const schema = Object.assign(() => {}, schemaOf<string, string>(text));
  expect(validateReceived(defineTopics({ a: schema }).schemas, "a", "x")).toBe("x");
});
