import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { repositoryRoot } from "../src/workspaces.ts";
import { folder } from "./fixture.ts";

describe("the entry of the root scripts", () => {
  test("names its commands when it is asked for another", () => {
    const result = run(repositoryRoot, "nonsense");
    expect(result).toMatchObject({ status: 1, stderr: expect.stringMatching(/Unknown command "nonsense".*\btest\b/) });
  });

  test("says what to do when Node is too old", () => {
    const root = copy({ node: ">=99.1" });
    expect(run(root, "build")).toMatchObject({ status: 1, stderr: expect.stringContaining(`needs Node 99.1 or newer, this is ${process.versions.node}`) });
  });

  test("ends a test run that does not build with a closing line all the same", () => {
    const root = copy({ node: ">=20.19" });
    // An npx that fails stands for a registry that cannot be reached.
    writeFileSync(join(root, "npx"), "#!/bin/sh\necho no registry >&2\nexit 7\n", { mode: 0o755 });
    const result = run(root, "test");
    expect(result.status).toBe(7);
    expect(result.stderr).toContain("The installation failed");
    expect(result.stdout.trimEnd().split("\n").at(-1)).toBe("0 passed, 1 failed");
  });

  /** A repository that holds nothing but the entry. */
  function copy(engines: { node: string }): string {
    const manifest = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as object;
    const root = folder({ "package.json": JSON.stringify({ ...manifest, engines }), "pnpm-lock.yaml": "", "pnpm-workspace.yaml": "" });
    mkdirSync(join(root, "tools"));
    mkdirSync(join(root, "packages"));
    copyFileSync(join(repositoryRoot, "tools/run.mjs"), join(root, "tools/run.mjs"));
    return root;
  }

  function run(root: string, command: string): { status: number | null; stdout: string; stderr: string } {
    const env = { ...process.env, PATH: `${root}:${process.env.PATH}` };
    return spawnSync(process.execPath, [join(root, "tools/run.mjs"), command], { encoding: "utf8", env, timeout: 20_000 });
  }
});
