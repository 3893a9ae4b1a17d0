/**
 * Packs every published package as a release would, lets publint and attw ("are the types wrong") look at the archive that users would get, and
 * installs the plug-ins from it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { checkInstalled } from "./installed.ts";
import { removeStaleBuilds } from "./stale-builds.ts";
import { publishedPackages, type Workspace } from "./workspaces.ts";

/** What is wrong with the archives, in the words of the tool that found it. */
export function checkPublished(root: string): readonly string[] {
  for (const path of removeStaleBuilds(root)) console.log(`Removed ${path}: the source that it was built from is gone.`);
  const reports = join(root, "halyard-report");
  mkdirSync(reports, { recursive: true });
  const directory = mkdtempSync(join(reports, "packed-"));
  try {
    const packages = publishedPackages(root);
    const archives = new Map<string, string>();
    const breaches = packages.flatMap((workspace) => checkPackage(root, workspace, directory, archives));
    return [...breaches, ...checkInstalled(packages, archives)];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function checkPackage(root: string, workspace: Workspace, directory: string, archives: Map<string, string>): readonly string[] {
  const before = new Set(readdirSync(directory));
  const packing = run(workspace.directory, "pnpm", ["pack", "--pack-destination", directory]);
  const archive = readdirSync(directory).find((name) => !before.has(name));
  if (archive === undefined) return [`${workspace.path}: pnpm pack made no archive.\n${packing.output}`];
  const path = join(directory, archive);
  archives.set(workspace.manifest.name ?? "", path);
  const tools: readonly (readonly [string, readonly string[]])[] = [
    ["publint", ["run", path, "--strict"]],
    ["attw", [path, "--profile", "esm-only", "--no-emoji", "--no-color"]],
  ];
  return tools.flatMap(([program, parameters]) => {
    const result = run(root, program, parameters);
    return result.passed ? [] : [`${workspace.path}: ${program} found something.\n${result.output}`];
  });
}

/** The tools are on the path: `tools/run.mjs` puts `node_modules/.bin` there. */
function run(cwd: string, program: string, parameters: readonly string[]): { readonly passed: boolean; readonly output: string } {
  const result = spawnSync(program, parameters, { cwd, encoding: "utf8", shell: process.platform === "win32" });
  return { passed: result.status === 0, output: [result.stdout, result.stderr, result.error?.message].filter(Boolean).join("\n").trim() };
}
