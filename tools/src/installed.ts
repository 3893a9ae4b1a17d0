/**
 * Installs each plug-in as a user would, core and the packed plug-in into an empty project, and looks at what came along: the plug-in's own
 * libraries, and nothing that only another plug-in needs.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Workspace } from "./workspaces.ts";

const scope = "@halyard/";
/** Peers of the testkit (vitest) are the user's own choice; everything else is installed for one broker or one codec. */
const isPlugIn = /^@halyard\/(backend|codec|compression)-/;
const installMsMax = 180_000;

/** `archives`: where each package's archive lies, by the package's name. */
export function checkInstalled(packages: readonly Workspace[], archives: ReadonlyMap<string, string>): readonly string[] {
  return packages.filter(({ manifest }) => isPlugIn.test(manifest.name ?? "")).flatMap((workspace) => checkOne(workspace, packages, archives));
}

function checkOne(workspace: Workspace, packages: readonly Workspace[], archives: ReadonlyMap<string, string>): readonly string[] {
  const name = workspace.manifest.name ?? "";
  const ours = withSisters(name, packages);
  const paths = [...ours].map((one) => archives.get(one)).filter((path) => path !== undefined);
  const project = mkdtempSync(join(tmpdir(), "halyard-install-"));
  try {
    mkdirSync(project, { recursive: true });
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
    const installing = run(project, "npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...paths]);
    if (!installing.passed) return [`${workspace.path}: it could not be installed from its archive.\n${installing.output}`];
    const foreign = [...librariesOf(packages, (one) => !ours.has(one))]
      .filter((library) => !librariesOf(packages, (one) => ours.has(one)).has(library))
      .filter((library) => existsSync(join(project, "node_modules", library)));
    const importing = run(project, process.execPath, ["--input-type=module", "--eval", `await import(${JSON.stringify(name)})`]);
    const requiring = run(project, process.execPath, ["--input-type=commonjs", "--eval", `require("@halyard/core"); require(${JSON.stringify(name)})`]);
    return [
      ...foreign.map((library) => `${workspace.path}: installing it brings ${library}, which it does not need.`),
      ...(importing.passed ? [] : [`${workspace.path}: it cannot be imported where only core and itself are installed.\n${importing.output}`]),
      ...(requiring.passed ? [] : [`${workspace.path}: CommonJS cannot require it, as the README says.\n${requiring.output}`]),
    ];
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

/** A package and the packages of this repository that it depends on, by name. */
function withSisters(name: string, packages: readonly Workspace[]): ReadonlySet<string> {
  const found = new Set([name]);
  for (const one of found) {
    const { dependencies = {} } = packages.find(({ manifest }) => manifest.name === one)?.manifest ?? {};
    for (const sister of Object.keys(dependencies)) if (sister.startsWith(scope)) found.add(sister);
  }
  return found;
}

/** What the packages that `isMeant` names depend on outside this repository. */
function librariesOf(packages: readonly Workspace[], isMeant: (name: string) => boolean): ReadonlySet<string> {
  const meant = packages.filter(({ manifest }) => isMeant(manifest.name ?? ""));
  return new Set(meant.flatMap(({ manifest }) => Object.keys(manifest.dependencies ?? {})).filter((library) => !library.startsWith(scope)));
}

function run(cwd: string, program: string, parameters: readonly string[]): { readonly passed: boolean; readonly output: string } {
  const result = spawnSync(program, parameters, { cwd, encoding: "utf8", shell: process.platform === "win32", timeout: installMsMax });
  return { passed: result.status === 0, output: [result.stdout, result.stderr, result.error?.message].filter(Boolean).join("\n").trim() };
}
