/**
 * Other implementations that tests compare ours with: the `lz4` tool, and Python's `msgpack` and `lz4`. A workspace that has such tests names this file as
 * vitest's `globalSetup`. What is missing is installed where that is the usual thing to do (as root on Debian or Ubuntu); where it is not, the tests are
 * skipped with a warning, and in continuous integration that is an error.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";

const packages = ["lz4", "python3-msgpack", "python3-lz4"];

/** Runs a command once nobody else holds the same file: part of every Debian. */
const waiting = "flock";

/** Debian's own Python comes first: another in front of it in the PATH does not have Debian's packages. */
const pythons = ["/usr/bin/python3", "python3"];

/** A Python that has both modules; `undefined` where there is none. */
export function findPython(): string | undefined {
  return pythons.find((python) => succeeds(python, ["-c", "import msgpack, lz4.frame"]));
}

export function hasLz4Tool(): boolean {
  return succeeds("lz4", ["--version"]);
}

export default function setUp(): void {
  if (isThere()) return;
  if (canInstall()) {
    console.log(`Installing what the tests compare with: ${packages.join(", ")}`);
    // Two workspaces may ask at once: the second waits for the first. Where the update fails, the lists of before may do.
    const commands = `apt-get update >/dev/null; apt-get install --yes --no-install-recommends ${packages.join(" ")} >/dev/null`;
    spawnSync(waiting, ["/var/lock/halyard-reference-tools", "sh", "-c", commands], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (isThere()) return;
  }
  const text = `Tests against other implementations need ${packages.join(", ")} (Debian, Ubuntu: apt-get install ${packages.join(" ")}).`;
  if (process.env.CI) throw new Error(text);
  console.warn(`${text} They are SKIPPED.`);
}

function isThere(): boolean {
  return hasLz4Tool() && findPython() !== undefined;
}

function canInstall(): boolean {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get") || !existsSync("/etc/os-release")) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync("/etc/os-release", "utf8"));
}

function succeeds(program: string, parameters: readonly string[]): boolean {
  return spawnSync(program, parameters, { stdio: "ignore" }).status === 0;
}
