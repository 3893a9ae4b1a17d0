import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the repository; the same from `tools/src/` and from `tools/dist/`. */
export const repositoryRoot = resolve(fileURLToPath(import.meta.url), "../../..");

/** The fields of a `package.json` that the checks look at; all may be missing, because finding that is their job. */
export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly private?: boolean;
  readonly description?: string;
  readonly license?: string;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly packageManager?: string;
  readonly repository?: { readonly type?: string; readonly url?: string; readonly directory?: string };
  readonly publishConfig?: { readonly access?: string; readonly provenance?: boolean };
  readonly engines?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** One workspace of the repository: a published package, or `benchmarks`, `examples`, `tools`. */
export interface Workspace {
  /** Absolute. */
  readonly directory: string;
  /** Relative to the root, with `/`: `packages/core`. */
  readonly path: string;
  readonly manifest: Manifest;
}

/** Reads and parses a `package.json`; one that is no JSON throws an error that names its path. */
export function readManifest(directory: string): Manifest {
  const path = join(directory, "package.json");
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Manifest;
  } catch (error) {
    throw new Error(`${path} could not be read as JSON`, { cause: error });
  }
}

/** Every workspace under `root`, packages first, each group sorted by path. Folders without a `package.json` are left out. */
export function readWorkspaces(root: string): readonly Workspace[] {
  const packagesDirectory = join(root, "packages");
  const packages = existsSync(packagesDirectory)
    ? readdirSync(packagesDirectory)
        .sort()
        .map((name) => join(packagesDirectory, name))
    : [];
  const others = ["benchmarks", "examples", "tools"].map((name) => join(root, name));
  return [...packages, ...others]
    .filter((directory) => existsSync(join(directory, "package.json")))
    .map((directory) => ({ directory, path: relative(root, directory).replaceAll("\\", "/"), manifest: readManifest(directory) }));
}

/** The workspaces that are published to npm. */
export function publishedPackages(root: string): readonly Workspace[] {
  return readWorkspaces(root).filter((workspace) => workspace.manifest.private !== true);
}

/** Files below `directory` that end in one of `endings`, absolute and sorted; empty when the directory does not exist. Skips what is installed or built. */
export function listFiles(directory: string, ...endings: string[]): readonly string[] {
  if (!existsSync(directory)) return [];
  const skipped = new Set(["node_modules", "dist", ".turbo", ".git", "coverage", "halyard-report"]);
  const found: string[] = [];
  const open = [directory];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const entry of readdirSync(next, { withFileTypes: true })) {
      const path = join(next, entry.name);
      if (entry.isDirectory()) {
        if (!skipped.has(entry.name)) open.push(path);
      } else if (endings.some((ending) => entry.name.endsWith(ending))) found.push(path);
    }
  }
  return found.sort();
}
