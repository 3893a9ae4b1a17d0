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

/** Type-checks a module and returns what the compiler says (nothing where all is well) and how long it took, its own start included. */
export function compile(source: string): { readonly output: string; readonly durationMs: number } {
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
    const startMs = performance.now();
    const { stdout, stderr, status, error } = spawnSync(process.execPath, [compiler, "-p", folder, "--pretty", "false"], { encoding: "utf8" });
    if (error !== undefined) throw error;
    const output = `${stdout}${stderr}`.trim();
    return { output: output === "" && status !== 0 ? `exit status ${status}` : output, durationMs: performance.now() - startMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
