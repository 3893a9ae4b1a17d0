import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const compiler = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
const base = fileURLToPath(new URL("../../../../tsconfig.base.json", import.meta.url));
/** Where generated sources import the types under test from. */
export const sourceFolder = fileURLToPath(new URL("../../src/topics/", import.meta.url));

export interface Compilation {
  /** What the compiler complains of; empty where all is well. */
  readonly output: string;
  /** How many types it had to work out: the same on every machine, unlike its time. */
  readonly instantiations: number;
}

/** Type-checks a module. */
export function compile(source: string): Compilation {
  const folder = mkdtempSync(join(tmpdir(), "halyard-types-"));
  try {
    writeFileSync(join(folder, "generated.mts"), source);
    const compilerOptions = {
      composite: false,
      declaration: false,
      declarationMap: false,
      noEmit: true,
      rewriteRelativeImportExtensions: false,
      allowImportingTsExtensions: true,
      typeRoots: [fileURLToPath(new URL("../../../../node_modules/@types", import.meta.url))],
      noUnusedLocals: false,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: base, compilerOptions, files: ["generated.mts"] }));
    const options = ["-p", folder, "--pretty", "false", "--extendedDiagnostics"];
    const { stdout, stderr, error } = spawnSync(process.execPath, [compiler, ...options], { encoding: "utf8" });
    if (error !== undefined) throw error;
    const instantiations = /^Instantiations: +(\d+)$/m.exec(stdout)?.[1];
    if (instantiations === undefined) return { output: `The compiler failed: ${stdout}${stderr}`, instantiations: 0 };
    const complaints = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("error TS"));
    return { output: complaints.join("\n"), instantiations: Number(instantiations) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
