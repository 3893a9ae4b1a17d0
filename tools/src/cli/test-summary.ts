/**
 * Prints what failed in the last test run, and then its closing line: `N passed, N failed`, alone on its line. Exits with 1 when anything failed or no test ran.
 * With `--checks`, checks that failed count too.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { summarizeTests } from "../test-summary.ts";
import { repositoryRoot } from "../workspaces.ts";

const summary = summarizeTests(repositoryRoot);
const problems = [...summary.problems];
if (process.argv.includes("--checks")) for (const name of failedChecks()) problems.push(`The check "${name}" failed: see above.`);
const failed = summary.failed + problems.length - summary.problems.length;

for (const failure of summary.failures) console.error(`FAILED ${failure}`);
for (const problem of problems) console.error(problem);
if (summary.skipped > 0) console.log(`${summary.skipped} skipped`);
console.log(`${summary.passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

function failedChecks(): readonly string[] {
  const path = join(repositoryRoot, "halyard-report/check.json");
  if (!existsSync(path)) return ["check"];
  return (JSON.parse(readFileSync(path, "utf8")) as { failed: string[] }).failed;
}
