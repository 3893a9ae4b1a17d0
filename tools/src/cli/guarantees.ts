/**
 * Writes the guarantee table into README.md from the last run of the tests; with `--check` it only says whether the README differs from that run. Either way
 * it fails where a backend was not asked a promise that binds all.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { guaranteeProblems, ledgerLines, readGuaranteeParts, withGuaranteeTable } from "../guarantees.ts";
import { repositoryRoot } from "../workspaces.ts";

const path = join(repositoryRoot, "README.md");
const parts = readGuaranteeParts(repositoryRoot);
const isCheck = process.argv.includes("--check");
if (parts.length === 0) {
  console.error("No run of the conformance suite to take the table from: run npm test first.");
  // Checks may be asked for without the tests; in the continuous integration the tests come first, so a missing run is a mistake there.
  process.exitCode = isCheck && process.env.CI !== "true" ? 0 : 1;
} else {
  for (const line of ledgerLines(parts)) console.info(line);
  const problems = guaranteeProblems(parts);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  const before = readFileSync(path, "utf8");
  const after = withGuaranteeTable(before, parts);
  if (!isCheck) writeFileSync(path, after);
  else if (before !== after) {
    console.error("The guarantee table of README.md differs from the last run: run npm run guarantees and look at what changed.");
    process.exitCode = 1;
  }
}
