/**
 * Compiles all examples in one go, in a folder of their own where `@halyard/…` leads to the built packages, as it would for a user.
 * The compiler both checks the types and makes the JavaScript that is executed, because Node 20 cannot read TypeScript.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { publishedPackages } from "../workspaces.ts";
import type { Example } from "./extract.ts";

/** Examples that were compiled. */
export interface CompiledExamples {
  /** Where the JavaScript lies; paths below it are those of the examples. */
  readonly directory: string;
  /** What the compiler said, by example, each message with its place in the document. */
  readonly errors: ReadonlyMap<Example, readonly string[]>;
  /** What the compiler said about something else than an example. */
  readonly otherErrors: readonly string[];
}

/** Writes and compiles the examples to `halyard-report/docs-examples` below `root`, replacing those of an earlier run. */
export function compileExamples(root: string, examples: readonly Example[]): CompiledExamples {
  const workspace = join(root, "halyard-report/docs-examples");
  const directory = join(workspace, "dist");
  rmSync(workspace, { recursive: true, force: true });
  if (examples.length === 0) return { directory, errors: new Map(), otherErrors: [] };
  write(join(workspace, "package.json"), `{ "type": "module" }\n`);
  write(join(workspace, "tsconfig.json"), JSON.stringify(compilerConfig, undefined, 2));
  linkPackages(root, join(workspace, "node_modules"));
  for (const example of examples) write(join(workspace, "src", example.path), example.code);
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const result = spawnSync(process.execPath, [tsc, "-p", workspace, "--pretty", "false"], { cwd: workspace, encoding: "utf8" });
  return { directory, ...assignErrors(result.stdout + result.stderr, examples) };
}

/** As strict as the repository itself, except that an example may declare what it does not use. */
const compilerConfig = {
  extends: "../../tsconfig.base.json",
  compilerOptions: {
    composite: false,
    declaration: false,
    declarationMap: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    moduleDetection: "force",
    rootDir: "src",
    outDir: "dist",
  },
  include: ["src"],
};

/** The packages, and what they depend on: an example may hand in a connection that the user opened with the broker's own client. */
function linkPackages(root: string, modules: string): void {
  const targets = new Map<string, string>();
  for (const { directory, manifest } of publishedPackages(root)) {
    const types = Object.keys(manifest.devDependencies ?? {}).filter((name) => name.startsWith("@types/"));
    for (const name of [...Object.keys(manifest.dependencies ?? {}), ...types]) targets.set(name, join(directory, "node_modules", name));
  }
  for (const { directory, manifest } of publishedPackages(root)) targets.set(manifest.name ?? "", directory);
  for (const [name, target] of targets) {
    const link = join(modules, name);
    mkdirSync(dirname(link), { recursive: true });
    // A junction needs no special rights on Windows; other systems ignore the kind.
    symlinkSync(target, link, "junction");
  }
}

function assignErrors(output: string, examples: readonly Example[]): Pick<CompiledExamples, "errors" | "otherErrors"> {
  const errors = new Map<Example, string[]>(examples.map((example) => [example, []]));
  const otherErrors: string[] = [];
  for (const line of output.split("\n").filter((text) => text.trim() !== "")) {
    const [, path, row, message] = /^src[\\/](.+?)\((\d+),\d+\): (.*)$/.exec(line) ?? [];
    const example = examples.find((each) => each.path === path?.replaceAll("\\", "/"));
    if (example === undefined) otherErrors.push(line);
    else errors.get(example)?.push(`${example.document}:${Number(row) + example.lineOffset}: ${message}`);
  }
  return { errors, otherErrors };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
