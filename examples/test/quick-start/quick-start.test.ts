/** Each small program, run as a reader would run it, must print what its page says. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const expected: Readonly<Record<string, readonly string[]>> = {
  hello: ["working on { id: 't1' } at priority 6", "completed: { id: 't1' }"],
  "retry-and-dead-letters": [
    "attempt 1 failed: Error: the bank does not answer",
    "attempt 2 failed: Error: the bank does not answer",
    "paid 5 at attempt 3",
    "attempt 1 failed: Error: the bank is closed",
    "attempt 2 failed: Error: the bank is closed",
    "dead after 1 attempts (non-retryable): an amount of -1 is never right",
    "dead after 3 attempts (attempts): the bank is closed",
    "paid 7 at attempt 1",
    "dead letters left: 0",
  ],
  "typed-topics": [
    "sensor.kitchen.temperature 21 °C",
    "sensor.kitchen.door open",
    "refused: The payload does not fit the schema of topic sensor.kitchen.temperature: celsius: must be a temperature above absolute zero",
  ],
  "ordered-by-key": [
    "anna: open, deposit, withdraw, close",
    "ben: open, deposit, withdraw, close",
    "cem: open, deposit, withdraw, close",
    "accounts side by side: true",
  ],
  "live-fan-out": ["{ screen: 11, printer: 10, packers: 10 }"],
  "testing-with-a-clock": ["attempts: 4", "waited between them: 1 min, 2 min, 4 min", "handled: 1 dead letters: 0"],
};

const run = promisify(execFile);

it.each(Object.entries(expected))("%s prints what it should and ends by itself", async (name, lines) => {
  const program = fileURLToPath(new URL(`../../dist/quick-start/${name}.js`, import.meta.url));
  const { stdout, stderr } = await run(process.execPath, [program], { timeout: 15_000 });
  expect(stdout.trimEnd().split("\n")).toEqual(lines);
  expect(stderr).toBe("");
});

it("leaves out no program", () => {
  const programs = readdirSync(new URL("../../quick-start", import.meta.url)).map((name) => name.replace(/\.ts$/, ""));
  expect(programs.toSorted()).toEqual(Object.keys(expected).toSorted());
});
