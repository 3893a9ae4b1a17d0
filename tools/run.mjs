/**
 * What `npm test` and `npm run demo` (and the other root scripts) call. It needs nothing but Node and npm: it checks the Node version,
 * installs the dependencies when they are missing or the lockfile changed, builds what changed, and then does what was asked.
 *
 * Plain JavaScript, because it runs before anything is installed or compiled. pnpm comes through `npx` for the install and from
 * `node_modules` afterwards; Corepack is not used, because it is not part of every Node installation.
 *
 *     node tools/run.mjs <build | check | test | bench | demo | guarantees | summary> [arguments for it]
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const isWindows = process.platform === "win32";

/** Remembers which lockfile the installed dependencies belong to. It lies inside `node_modules`, so that deleting that folder deletes it too. */
const installStamp = join(root, "node_modules/.halyard-install");

/** What runs leave behind: `tests/` has one JSON report per vitest run, which `tools/src/test-summary.ts` adds up. */
const reports = join(root, "halyard-report");

const commands = { build, check, test, bench, demo, guarantees, summary };

function main() {
  const [name = "", ...rest] = process.argv.slice(2);
  if (!Object.hasOwn(commands, name)) fail(`Unknown command "${name}". Known: ${Object.keys(commands).join(", ")}.`);
  requireNode();
  process.chdir(root);
  // Scripts of the workspaces find pnpm, tsc, vitest and biome without a global installation.
  process.env.PATH = join(root, "node_modules/.bin") + delimiter + (process.env.PATH ?? "");
  process.env.TURBO_TELEMETRY_DISABLED = "1";
  process.env.DO_NOT_TRACK = "1";
  // `npm run demo -- --workers 5` arrives without the `--`, `pnpm demo -- --workers 5` with it.
  process.exitCode = commands[name](rest[0] === "--" ? rest.slice(1) : rest);
}

/** @returns {number} exit status, as every command below */
function build() {
  forgetDeletedBuilds();
  return install() || turbo(["build"]);
}

/** The compiler believes its notes and not the disk: with them left behind, a deleted dist folder would stay empty. */
function forgetDeletedBuilds() {
  const packages = readdirSync("packages").map((name) => join("packages", name));
  for (const workspace of [...packages, "benchmarks", "examples", "tools"])
    if (!existsSync(join(workspace, "dist"))) rmSync(join(workspace, "tsconfig.tsbuildinfo"), { force: true });
}

function check(options) {
  rmSync(join(reports, "check.json"), { force: true });
  return build() || node(["tools/dist/cli/check.js", ...options]);
}

function test(options) {
  const isPartial = options.length > 0;
  rmSync(join(reports, "tests"), { recursive: true, force: true });
  mkdirSync(join(reports, "tests"), { recursive: true });
  // What the conformance suite wrote belongs to one whole run; a part of the tests must not leave half a table.
  if (!isPartial) {
    rmSync(join(reports, "guarantees"), { recursive: true, force: true });
    process.env.HALYARD_REPORT_DIR = reports;
  }
  const buildStatus = build();
  if (buildStatus !== 0) {
    // Not through the tools: it may be they that did not compile.
    console.error("The build failed, so no test ran.");
    console.log("0 passed, 1 failed");
    return buildStatus;
  }
  const testStatus = turbo(["test", "--continue=always", ...(isPartial ? ["--", "--passWithNoTests", ...options] : [])]);
  writeFileSync(join(reports, "tests/run.json"), JSON.stringify({ failed: testStatus !== 0, isPartial }));
  return summary([]);
}

function bench(options) {
  return build() || node(["benchmarks/dist/main.js", ...options]);
}

function demo(options) {
  // The demo's paths are meant from where the user typed the command; npm changes to the root before it runs a script.
  return build() || node([join(root, "examples/dist/document-team/main.js"), ...options], process.env.INIT_CWD ?? root);
}

function guarantees(options) {
  return build() || node(["tools/dist/cli/guarantees.js", ...options]);
}

function summary(options) {
  if (!existsSync(join(root, "tools/dist/cli/test-summary.js"))) {
    console.log("0 passed, 1 failed");
    return 1;
  }
  return node(["tools/dist/cli/test-summary.js", ...options]);
}

function requireNode() {
  const minimum = manifest.engines.node.replace(">=", "").split(".").map(Number);
  const actual = process.versions.node.split(".").map(Number);
  if (actual[0] > minimum[0] || (actual[0] === minimum[0] && actual[1] >= minimum[1])) return;
  fail(
    `Halyard needs Node ${minimum.join(".")} or newer, this is ${process.versions.node}. Install a newer Node from https://nodejs.org and run the command again.`,
  );
}

function install() {
  const wanted = createHash("sha256").update(readFileSync("pnpm-lock.yaml")).update(readFileSync("pnpm-workspace.yaml")).digest("hex");
  if (existsSync(installStamp) && readFileSync(installStamp, "utf8") === wanted) return 0;
  const pnpm = manifest.packageManager;
  console.log(`Installing the dependencies with ${pnpm} (only when they changed)`);
  const status = run("npx", ["--yes", pnpm, "install", "--frozen-lockfile"], { shell: isWindows });
  if (status === 0) writeFileSync(installStamp, wanted);
  else
    console.error("The installation failed; the reason stands above. It needs to reach the npm registry, and pnpm-lock.yaml must fit the package.json files.");
  return status;
}

function turbo(options) {
  return node(["node_modules/turbo/bin/turbo", "run", ...options]);
}

function node(parameters, cwd = root) {
  if (existsSync(resolve(root, parameters[0]))) return run(process.execPath, parameters, { cwd });
  console.error(`${parameters[0]} is missing, although the build passed. Delete the dist folders and .turbo, and run the command again.`);
  return 1;
}

/** Runs a program with this terminal and returns its exit status; a program that was ended by a signal counts as failed. */
function run(program, parameters, options) {
  const result = spawnSync(program, parameters, { stdio: "inherit", cwd: root, ...options });
  if (result.error) console.error(`${program} could not be started: ${result.error.message}`);
  return result.status ?? 1;
}

function fail(text) {
  console.error(text);
  process.exit(1);
}

main();
