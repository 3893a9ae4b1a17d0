import { spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkChangesets } from "../src/changesets.ts";
import { folder } from "./fixture.ts";

describe("changesets", () => {
  test("are needed for a package that was never released", () => {
    const root = folder({ "packages/core/package.json": '{ "name": "@halyard/core" }' });
    expect(checkChangesets(root, undefined)).toEqual(['packages/core was never released and no changeset announces it: run "npx changeset".']);
  });

  test("announce the packages in their front matter", () => {
    const root = folder({
      "packages/core/package.json": '{ "name": "@halyard/core" }',
      ".changeset/a.md": '---\n"@halyard/core": minor\n---\n\nText: with a colon.\n',
    });
    expect(checkChangesets(root, undefined)).toEqual([]);
  });

  test("must not name a package that does not exist", () => {
    const root = folder({ ".changeset/a.md": '---\n"@halyard/gone": minor\n---\n\nText.\n' });
    expect(checkChangesets(root, undefined)).toEqual([".changeset names @halyard/gone, which is no published package."]);
  });

  test("are needed for a released package whose sources changed, not for its tests", () => {
    const root = folder({
      "packages/core/package.json": '{ "name": "@halyard/core" }',
      "packages/core/CHANGELOG.md": "",
      "packages/core/src/a.ts": "",
      "packages/core/test/a.ts": "",
    });
    git(root, "init", "--quiet");
    commit(root);
    appendFileSync(join(root, "packages/core/test/a.ts"), "1;\n");
    commit(root);
    expect(checkChangesets(root, "HEAD~1")).toEqual([]);
    appendFileSync(join(root, "packages/core/src/a.ts"), "1;\n");
    commit(root);
    expect(checkChangesets(root, "HEAD~1")).toEqual([expect.stringContaining("packages/core changed and no changeset")]);
  });

  function commit(root: string): void {
    git(root, "add", "--all");
    git(root, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--no-verify", "--message", "a");
  }

  function git(root: string, ...parameters: string[]): void {
    const result = spawnSync("git", parameters, { cwd: root, encoding: "utf8" });
    if (result.status !== 0) throw new Error(result.stderr);
  }
});
