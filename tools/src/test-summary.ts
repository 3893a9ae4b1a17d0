/**
 * Adds up the JSON reports of all vitest runs. The sum must not look better than the run was, so these count as failed too: a file that
 * could not be loaded (it holds no failed test, because no test of it ran), a report that cannot be read, and a workspace that has test files but left no report.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { listFiles, readWorkspaces } from "./workspaces.ts";

/** What a test run amounts to. */
export interface TestSummary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Each failed test: its workspace, its whole title, and the first line of why. A log is read from its end, and often only the end is kept. */
  readonly failures: readonly string[];
  /** Why something counted as failed that is no failed test, one sentence each. */
  readonly problems: readonly string[];
}

interface VitestReport {
  readonly testResults: readonly { readonly name: string; readonly status: string; readonly assertionResults: readonly VitestResult[] }[];
}

interface VitestResult {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages: readonly string[];
}

/** Sums the reports below `root`. Where only some tests were asked for, a workspace without a report is fine. */
export function summarizeTests(root: string): TestSummary {
  const reports = join(root, "halyard-report/tests");
  const run = readRun(join(reports, "run.json"));
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const failures: string[] = [];
  const problems: string[] = [];
  for (const workspace of readWorkspaces(root)) {
    const report = join(reports, `${basename(workspace.directory)}.json`);
    const hasTests = listFiles(join(workspace.directory, "test"), ".test.ts", ".test-d.ts").length > 0;
    if (!existsSync(report)) {
      if (hasTests && !run.isPartial) problems.push(`${workspace.path} has tests but left no report: its run did not end by itself.`);
      continue;
    }
    const counts = countReport(report);
    passed += counts.passed;
    failed += counts.failed;
    skipped += counts.skipped;
    failures.push(...counts.failures.map((failure) => `${workspace.path}: ${failure}`));
    problems.push(...counts.problems);
  }
  if (passed + failed === 0) problems.push("No test ran.");
  else if (run.failed && failed + problems.length === 0)
    problems.push("A run ended with an error that no test reported, such as an unhandled rejection: see above.");
  return { passed, failed: failed + problems.length, skipped, failures, problems };
}

/** What `tools/run.mjs` says about the run as a whole; without it, the run was cut off. */
function readRun(path: string): { readonly failed: boolean; readonly isPartial: boolean } {
  if (!existsSync(path)) return { failed: true, isPartial: false };
  return JSON.parse(readFileSync(path, "utf8")) as { failed: boolean; isPartial: boolean };
}

function countReport(path: string): TestSummary {
  const counts = { passed: 0, failed: 0, skipped: 0, failures: [] as string[], problems: [] as string[] };
  let report: VitestReport;
  try {
    report = JSON.parse(readFileSync(path, "utf8")) as VitestReport;
  } catch {
    return { ...counts, problems: [`${path} is no complete JSON report: the run was cut off.`] };
  }
  for (const file of report.testResults) {
    const failures = file.assertionResults.filter(({ status }) => status === "failed");
    const passed = file.assertionResults.filter(({ status }) => status === "passed").length;
    counts.passed += passed;
    counts.failed += failures.length;
    counts.skipped += file.assertionResults.length - failures.length - passed;
    counts.failures.push(...failures.map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages[0]?.split("\n")[0] ?? "no message"}`));
    if (file.status === "failed" && failures.length === 0) counts.problems.push(`${file.name} failed outside of its tests.`);
  }
  return counts;
}
