import { describe, expect, test } from "vitest";
import { checkSourceRules } from "../src/source-rules.ts";
import { folder } from "./fixture.ts";

describe("the rules for sources", () => {
  test.each([
    ["Date.now()", "Date.now"],
    ["new Date()", "Date without an argument"],
    ["Date()", "Date without an argument"],
    ["performance.now()", "performance.now"],
    ["setTimeout(() => {}, 1)", "setTimeout"],
    ["globalThis.setTimeout(() => {}, 1)", "setTimeout"],
    ["setInterval(() => {}, 1)", "setInterval"],
    ["[1].map(Math.random)", "Math.random"],
    ['Math["random"]()', "Math.random"],
    ["AbortSignal.timeout(5)", "AbortSignal.timeout"],
    ["process.hrtime.bigint()", "process.hrtime"],
    ["console.error(1)", "console"],
  ])("forbid %s", (code, name) => {
    const breaches = check("packages/core/src/a.ts", `export const a = () => {\n  ${code};\n};\n`);
    expect(breaches[0]).toMatch(/^packages\/core\/src\/a\.ts:2: /);
    expect(breaches[0]).toContain(name);
  });

  test("forbid timers that come from a module", () => {
    expect(check("packages/core/src/a.ts", 'import { setTimeout as sleep } from "node:timers/promises";\nawait sleep(1);\n')).toHaveLength(1);
  });

  test.each([
    ["a date of a known time", "new Date(5)"],
    ["words in comments and strings", '/* Date.now() */ "console.log(Math.random())"'],
    ["members of other objects", "clock.setTimeout(logger.console, { setInterval: 1 }.setInterval)"],
    ["types", "(x: typeof setTimeout) => x"],
  ])("allow %s", (_what, code) => {
    expect(check("packages/core/src/a.ts", `declare const clock: any, logger: any;\nexport const a = ${code};\n`)).toEqual([]);
  });

  test.each(["packages/core/src/clock.ts", "packages/testkit/src/a.ts", "packages/backend-x/src/bin/server.ts", "packages/core/test/a.test.ts"])(
    "do not hold for %s",
    (path) => {
      expect(check(path, "setTimeout(() => console.log(Date.now()), 1);\n")).toEqual([]);
    },
  );

  function check(path: string, code: string): readonly string[] {
    const directory = path.split("/").slice(0, 2).join("/");
    return checkSourceRules(folder({ [`${directory}/package.json`]: "{}", [path]: code }));
  }
});
