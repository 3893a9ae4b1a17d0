/**
 * Dependencies are exactly what the sources import, and the arrows between the packages point one way: backends, codecs and compressors
 * know the contract (`@halyard/core/spi`) and nothing else, core knows nobody.
 */
import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { importsOf, type ModuleImport, parseSource } from "../syntax.ts";
import { listFiles, type Workspace } from "../workspaces.ts";
import type { ShapeContext } from "./context.ts";

const scope = "@halyard/";

/** Which specifiers of sister packages a package may import; the first pattern that fits its name decides. */
const arrows: readonly { readonly from: RegExp; readonly to: readonly string[] }[] = [
  { from: /^core$/, to: [] },
  { from: /^testkit$/, to: ["@halyard/core", "@halyard/core/spi"] },
  { from: /^backend-embedded$/, to: ["@halyard/core/spi", "@halyard/backend-memory"] },
  { from: /^(backend|codec|compression)-/, to: ["@halyard/core/spi"] },
];

interface PlacedImport extends ModuleImport {
  readonly file: string;
}

/** Compares what `src/` imports with `package.json` and `tsconfig.json`. */
export function checkDependencies(workspace: Workspace, context: ShapeContext): readonly string[] {
  const imports = listFiles(join(workspace.directory, "src"), ".ts").flatMap((file) => importsOf(parseSource(file)).map((found) => ({ ...found, file })));
  return [
    ...imports.flatMap((found) =>
      checkSpecifier(workspace, context, found).map((breach) => `${relative(workspace.directory, found.file)}:${found.line}: ${breach}`),
    ),
    ...checkDeclared(workspace, imports),
    ...checkReferences(workspace, context),
  ];
}

function checkSpecifier(workspace: Workspace, context: ShapeContext, found: PlacedImport): readonly string[] {
  const { specifier } = found;
  if (specifier.startsWith(".")) {
    if (!specifier.endsWith(".ts")) return [`"${specifier}" must end in .ts.`];
    if (!existsSync(resolve(dirname(found.file), specifier))) return [`"${specifier}" does not exist.`];
    return relative(join(workspace.directory, "src"), resolve(dirname(found.file), specifier)).startsWith("..") ? [`"${specifier}" leaves src/.`] : [];
  }
  if (specifier.startsWith("node:")) return [];
  if (builtinModules.includes(specifier)) return [`"${specifier}" must be imported as "node:${specifier}".`];
  return specifier.startsWith(scope) ? checkSister(workspace, context, specifier) : [];
}

function checkSister(workspace: Workspace, context: ShapeContext, specifier: string): readonly string[] {
  const name = packageOf(specifier);
  if (name === workspace.manifest.name) return [`"${specifier}": import the file itself, not the package it belongs to.`];
  const target = context.packages.find((other) => other.manifest.name === name);
  const entry = `.${specifier.slice(name.length)}`;
  if (target?.manifest.exports?.[entry] === undefined) return [`"${specifier}" is no entry point of a package of this repository.`];
  const own = workspace.manifest.name?.slice(scope.length) ?? "";
  const allowed = arrows.find((arrow) => arrow.from.test(own))?.to ?? [];
  return allowed.includes(specifier) ? [] : [`"${specifier}" must not be imported here; allowed: ${allowed.join(", ") || "nothing"}.`];
}

function checkDeclared(workspace: Workspace, imports: readonly PlacedImport[]): readonly string[] {
  const { dependencies = {}, peerDependencies = {}, optionalDependencies = {} } = workspace.manifest;
  const declared = new Map(Object.entries({ ...dependencies, ...peerDependencies, ...optionalDependencies }));
  const isOwn = (name: string): boolean =>
    name === workspace.manifest.name || name.startsWith(".") || name.startsWith("node:") || builtinModules.includes(name);
  const used = new Set(imports.map((found) => packageOf(found.specifier)).filter((name) => !isOwn(name)));
  const missing = [...used].filter((name) => !declared.has(name)).map((name) => `${name} is imported by src/ but is no dependency in package.json.`);
  const unused = [...declared.keys()]
    .filter((name) => !used.has(name))
    .map((name) => `${name} is a dependency in package.json but nothing in src/ imports it.`);
  const ranges = Object.entries(dependencies)
    .filter(([name, range]) => name.startsWith(scope) && range !== "workspace:^")
    .map(([name]) => `${name} must be a dependency as "workspace:^".`);
  const none = workspace.manifest.name === "@halyard/core" && declared.size > 0 ? ["core has no runtime dependency, none may be added."] : [];
  return [...missing, ...unused, ...ranges, ...none];
}

/** The compiler builds in the order of its references, so they must name the same packages as the dependencies do. */
function checkReferences(workspace: Workspace, context: ShapeContext): readonly string[] {
  const breaches: string[] = [];
  const referenced = references(join(workspace.directory, "tsconfig.json"));
  const wanted = context.packages.filter((other) => workspace.manifest.dependencies?.[other.manifest.name ?? ""] !== undefined).map((other) => other.directory);
  for (const directory of wanted)
    if (!referenced.includes(directory)) breaches.push(`tsconfig.json must reference ${relative(workspace.directory, directory)}.`);
  for (const directory of referenced)
    if (!wanted.includes(directory)) breaches.push(`tsconfig.json references ${relative(workspace.directory, directory)}, which is no dependency.`);
  if (!references(join(context.root, "tsconfig.json")).includes(workspace.directory)) breaches.push("the root's tsconfig.json must reference this package.");
  return breaches;
}

function references(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  const config = JSON.parse(readFileSync(path, "utf8")) as { references?: readonly { path: string }[] };
  return (config.references ?? []).map((reference) => resolve(dirname(path), reference.path));
}

/** `@scope/name/entry` → `@scope/name`, `name/entry` → `name`; relative paths and `node:` modules come back as they are. */
function packageOf(specifier: string): string {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return specifier;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}
