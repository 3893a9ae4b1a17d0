/** Every scenario once, far too short to say anything about speed: processes start, messages come through exactly once, tables are printed. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { scenarios } from "../src/scenarios/all.ts";

const run = promisify(execFile);
const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));
/** A contender takes about a second to start, run and end; all of them may have to share two cores with other tests. */
const scenarioMsMax = 120_000;

const bench = (...options: string[]) => run(process.execPath, [program, ...options], { timeout: scenarioMsMax });

for (const { name, contenders, bars } of scenarios) {
  test(
    `${name} runs and accounts for every message`,
    async () => {
      const { stdout } = await bench("--only", name, "--rounds", "1", "--seconds", "0.1", "--json");
      const [result] = JSON.parse(stdout).scenarios;
      expect(result.contenders.map((contender: { name: string }) => contender.name)).toEqual(contenders.map((contender) => contender.name));
      for (const contender of result.contenders) {
        expect(contender.messages).toBeGreaterThan(0);
        for (const figure of Object.values<{ median: number }>(contender.figures)) expect(figure.median).toBeGreaterThan(0);
      }
      expect(result.bars).toHaveLength(bars.length);
    },
    scenarioMsMax,
  );
}

test(
  "a profile names the functions of Halyard",
  async () => {
    const { stdout } = await bench("--profile", "--only", "memory-json", "--seconds", "0.2");
    expect(stdout).toContain("packages/core/dist/");
  },
  scenarioMsMax,
);

test("an unknown scenario is an error that names the known ones", async () => {
  await expect(bench("--only", "quantum")).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("memory-json") });
});

test("help says what can be asked", async () => {
  const { stdout } = await bench("--help");
  for (const option of ["--only", "--rounds", "--seconds", "--json", "--gate", "--profile"]) expect(stdout).toContain(option);
});
