/**
 * Other implementations that tests compare ours with: the `lz4` tool, and Python's `msgpack` and `lz4`. A workspace that has such tests names this file as
 * vitest's `globalSetup`. `npm test` installs what is missing where that is the usual thing to do; where it is not, the tests are skipped with a warning,
 * and in continuous integration that is an error.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";

const packages = ["lz4", "python3-msgpack", "python3-lz4"];

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
  const text = `Tests against other implementations need ${packages.join(", ")} (Debian, Ubuntu: apt-get install ${packages.join(" ")}).`;
  if (process.env.CI) throw new Error(text);
  console.warn(`${text} They are SKIPPED.`);
}

function isThere(): boolean {
  return hasLz4Tool() && findPython() !== undefined;
}

function succeeds(program: string, parameters: readonly string[]): boolean {
  return spawnSync(program, parameters, { stdio: "ignore" }).status === 0;
}
