/**
 * What `npm test` and `npm run demo` (and the other root scripts) call. It needs nothing but Node and npm: it checks the Node version,
 * installs the dependencies when they are missing or the lockfile changed, builds what changed, and then does what was asked.
 *
 * Plain JavaScript, because it runs before anything is installed or compiled. pnpm comes through `npx` for the install and from
 * `node_modules` afterwards; Corepack is not used, because it is not part of every Node installation.
 *
 * Tests and demos run on real brokers. `npm test` installs the ones that are missing where it may: as root on Debian or Ubuntu. Elsewhere it says what to
 * install, or how to use brokers that run already (`compose.yaml`).
 *
 *     node tools/run.mjs <build | check | test | endurance | bench | demo | brokers | guarantees | summary> [arguments for it]
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

/** What a broker is called in the demo, the environment variable for one that runs already, and the program and its package in Debian and Ubuntu. */
const brokers = [
  { backend: "amqp", variable: "HALYARD_TEST_AMQP_URL", program: "rabbitmq-server", folders: ["/usr/lib/rabbitmq/bin"] },
  { backend: "redis-streams", variable: "HALYARD_TEST_REDIS_URL", program: "redis-server", folders: [] },
  { backend: "nats", variable: "HALYARD_TEST_NATS_URL", program: "nats-server", folders: [] },
];

/** Packages of Debian with other implementations; where they cannot be had, the tests that compare with them are skipped and say so. */
const referenceTools = [
  { name: "lz4", isThere: () => isInstalled("lz4", []) },
  { name: "python3-msgpack", isThere: () => hasPythonModule("msgpack") },
  { name: "python3-lz4", isThere: () => hasPythonModule("lz4.frame") },
];

const commands = { build, check, test, endurance, bench, demo, brokers: () => requireBrokers(brokers), guarantees, summary };

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
  // What a build says is of interest where it fails.
  return install() || turbo(["build", "--output-logs=errors-only"]);
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
  // Where one is missing, the tests that need it fail and say so; the others still tell something.
  requireBrokers(brokers, referenceTools);
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

/** The long runs on brokers that are killed again and again, and on clusters; `npm run test:endurance -- redis` runs only files of that name. */
function endurance(options) {
  return requireBrokers(brokers) || build() || node(["node_modules/vitest/vitest.mjs", "run", "--config", "vitest.endurance.ts", ...options]);
}

function bench(options) {
  return build() || node(["benchmarks/dist/main.js", ...options]);
}

function demo(options) {
  // The demo's paths are meant from where the user typed the command; npm changes to the root before it runs a script.
  const needed = brokers.filter(({ backend }) => options.includes(backend) || options.includes(`--backend=${backend}`));
  const hasUrl = options.some((option) => option === "--url" || option.startsWith("--url="));
  return (
    (hasUrl ? 0 : requireBrokers(needed)) || build() || node([join(root, "examples/dist/document-team/main.js"), ...options], process.env.INIT_CWD ?? root)
  );
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

/** @returns {number} 0 when each broker runs somewhere or can be started here; `tools` are brought along where that is possible */
function requireBrokers(wanted, tools = []) {
  const missing = wanted.filter(({ variable, program, folders }) => !process.env[variable] && !isInstalled(program, folders));
  const packages = missing.map(({ program }) => program);
  const toInstall = canInstall() ? [...packages, ...tools.filter(({ isThere }) => !isThere()).map(({ name }) => name)] : [];
  if (toInstall.length > 0) return installPackages(toInstall);
  if (missing.length === 0) return 0;
  console.error(`These brokers are missing: ${packages.join(", ")}. Install them (Debian, Ubuntu: sudo apt-get install ${packages.join(" ")}),`);
  console.error(`or start them with "docker compose up -d" and set ${missing.map(({ variable }) => variable).join(", ")} as compose.yaml says.`);
  return 1;
}

function isInstalled(program, folders) {
  return [...folders, ...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin"].some((folder) => existsSync(join(folder, program)));
}

function hasPythonModule(name) {
  return spawnSync("/usr/bin/python3", ["-c", `import ${name}`], { stdio: "ignore" }).status === 0;
}

/** Only where it is the usual thing to do, and nobody has to be asked for a password. */
function canInstall() {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get") || !existsSync("/etc/os-release")) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync("/etc/os-release", "utf8"));
}

function installPackages(packages) {
  console.log(`Installing what the tests start for themselves or compare with: ${packages.join(", ")}`);
  // RUNLEVEL=1: the packages do not start services of the system. The tests start their own brokers, on free ports with temporary data.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const quietly = { env, stdio: ["ignore", "ignore", "inherit"] };
  run("apt-get", ["update"], quietly); // where it fails, the lists of before may do
  const status = run("apt-get", ["install", "--yes", "--no-install-recommends", ...packages], quietly);
  if (status !== 0) console.error(`apt-get could not install ${packages.join(", ")}; the reason stands above.`);
  return status;
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
