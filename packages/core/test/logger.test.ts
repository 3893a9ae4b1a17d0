import { expect, test } from "vitest";
import { HalyardError } from "../src/errors.ts";
import { childLogger, type Logger, loggableError, silentLogger } from "../src/logger.ts";

/** A logger without `child`, and what was written to it. */
function recorded(): { logger: Logger; lines: unknown[] } {
  const lines: unknown[] = [];
  const write = (level: string) => (details: object, message: string) => void lines.push([level, details, message]);
  return { logger: { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") }, lines };
}

test("a child of a logger that has none adds its bindings, and its child adds more", () => {
  const { logger, lines } = recorded();
  const child = childLogger(childLogger(logger, { bus: "b", group: "g" }), { group: "h" });
  for (const level of ["debug", "info", "warn", "error"] as const) child[level]({ at: 1 }, level);
  expect(lines).toEqual(["debug", "info", "warn", "error"].map((level) => [level, { bus: "b", group: "h", at: 1 }, level]));
});

test("a logger's own child is used where it has one", () => {
  const { logger } = recorded();
  const mine: Logger = { ...logger, child: (bindings) => ({ ...logger, bindings }) as Logger };
  expect(childLogger(mine, { a: 1 })).toHaveProperty("bindings", { a: 1 });
});

test("the silent logger takes everything", () => {
  childLogger(silentLogger, { a: 1 }).error({}, "nothing");
});

test("an error becomes plain data with its code, stack and causes", () => {
  const error = new HalyardError("CONNECT_FAILED", "No answer.", { cause: new Error("refused", { cause: "socket" }) });
  const plain = loggableError(error);
  expect(plain).toMatchObject({ name: "HalyardError", message: "No answer.", code: "CONNECT_FAILED", causedBy: ["Error: refused", "socket"] });
  expect(JSON.parse(JSON.stringify(plain))).toEqual(plain);
});

test("whatever is thrown can be logged, also a cause that names itself", () => {
  const circular = new Error("round");
  circular.cause = circular;
  for (const thrown of ["text", 1, null, undefined, Symbol("s"), 1n, Object.create(null), {}, circular])
    expect(() => JSON.stringify(loggableError(thrown))).not.toThrow();
  expect(loggableError("text")).toEqual({ name: "string", message: "text" });
});
