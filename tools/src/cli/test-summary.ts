/**
 * Prints the closing line of a test run: `N passed, N failed`, alone on its line. Exits with 1 when anything failed or no test ran.
 * `--failed`: the run itself ended with an error. `--partial`: only some tests were asked for. `--checks`: count failed checks (of `check.json`) too.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { summarizeTests } from "../test-summary.ts";
import { repositoryRoot } from "../workspaces.ts";

const options = new Set(process.argv.slice(2));
const summary = summarizeTests(repositoryRoot, { isPartial: options.has("--partial") });
const problems = [...summary.problems];
let failed = summary.failed;

if (options.has("--failed") && failed === 0)
  count("A test run ended with an error that no test reported (an unhandled rejection, or vitest itself): see above.");
if (summary.passed + failed === 0) count("No test ran.");
if (options.has("--checks")) for (const name of failedChecks()) count(`The check "${name}" failed: see above.`);

for (const problem of problems) console.error(problem);
if (summary.skipped > 0) console.log(`${summary.skipped} skipped`);
console.log(`${summary.passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

function count(problem: string): void {
  failed += 1;
  problems.push(problem);
}

function failedChecks(): readonly string[] {
  const path = join(repositoryRoot, "halyard-report/check.json");
  if (!existsSync(path)) return ["check"];
  return (JSON.parse(readFileSync(path, "utf8")) as { failed: string[] }).failed;
}
