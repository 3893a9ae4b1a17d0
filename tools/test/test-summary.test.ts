import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { summarizeTests } from "../src/test-summary.ts";

describe("the summary of a test run", () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "halyard-summary-"));
    mkdirSync(join(root, "halyard-report/tests"), { recursive: true });
    endRun({ failed: false, isPartial: false });
    addWorkspace("core");
    addWorkspace("testkit");
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test("adds up what passed, failed and was skipped in every workspace", () => {
    addReport("core", [{ status: "failed", tests: ["passed", "passed", "failed"] }]);
    addReport("testkit", [{ status: "passed", tests: ["passed", "pending", "todo"] }]);
    expect(summarizeTests(root)).toEqual({
      passed: 3,
      failed: 1,
      skipped: 2,
      failures: ["packages/core: test 2: AssertionError: expected 1 to be 2"],
      problems: [],
    });
  });

  test("counts a file that could not be loaded as failed", () => {
    addReport("core", [{ status: "failed", tests: [] }]);
    addReport("testkit", [{ status: "passed", tests: ["passed"] }]);
    expect(summarizeTests(root)).toMatchObject({ passed: 1, failed: 1, problems: ["0.test.ts failed outside of its tests."] });
  });

  test("counts a workspace whose run left no report as failed, unless only a part was asked for", () => {
    addReport("core", [{ status: "passed", tests: ["passed"] }]);
    expect(summarizeTests(root)).toMatchObject({ passed: 1, failed: 1 });
    endRun({ failed: false, isPartial: true });
    expect(summarizeTests(root)).toMatchObject({ passed: 1, failed: 0 });
  });

  test("counts a report that was cut off as failed", () => {
    addReport("core", [{ status: "passed", tests: ["passed"] }]);
    writeFileSync(join(root, "halyard-report/tests/testkit.json"), '{"testResults": [');
    expect(summarizeTests(root)).toMatchObject({ passed: 1, failed: 1 });
  });

  test("counts a run that failed although no test did", () => {
    addReport("core", [{ status: "passed", tests: ["passed"] }]);
    addReport("testkit", [{ status: "passed", tests: ["passed"] }]);
    endRun({ failed: true, isPartial: false });
    expect(summarizeTests(root)).toMatchObject({ passed: 2, failed: 1 });
  });

  test("counts a run in which nothing was tested as failed", () => {
    endRun({ failed: false, isPartial: true });
    expect(summarizeTests(root)).toMatchObject({ passed: 0, failed: 1, problems: ["No test ran."] });
  });

  function endRun(run: { failed: boolean; isPartial: boolean }): void {
    writeFileSync(join(root, "halyard-report/tests/run.json"), JSON.stringify(run));
  }

  function addWorkspace(name: string): void {
    mkdirSync(join(root, "packages", name, "test"), { recursive: true });
    writeFileSync(join(root, "packages", name, "package.json"), JSON.stringify({ name: `@halyard/${name}` }));
    writeFileSync(join(root, "packages", name, "test/a.test.ts"), "");
  }

  function addReport(name: string, files: readonly { status: string; tests: readonly string[] }[]): void {
    const testResults = files.map((file, index) => ({
      name: `${index}.test.ts`,
      status: file.status,
      assertionResults: file.tests.map((status, place) => ({
        status,
        fullName: `test ${place}`,
        failureMessages: status === "failed" ? ["AssertionError: expected 1 to be 2\n    at a.test.ts:1:1"] : [],
      })),
    }));
    writeFileSync(join(root, "halyard-report/tests", `${name}.json`), JSON.stringify({ testResults }));
  }
});
