import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Workspace } from "../workspaces.ts";

/** `exports` and `bin`: every path leads to something that the build makes, and types come first, because resolution takes the first match. */
export function checkEntryPoints(workspace: Workspace): readonly string[] {
  const { exports = {}, bin = {} } = workspace.manifest;
  const breaches: string[] = [];
  if (exports["./package.json"] !== "./package.json") breaches.push(`"exports" must hold "./package.json", which tools look for.`);
  if (exports["."] === undefined) breaches.push(`"exports" must hold ".".`);
  for (const [name, target] of Object.entries(exports)) {
    if (name === "./package.json") continue;
    breaches.push(...checkExport(workspace, name, target));
  }
  for (const [name, target] of Object.entries(bin)) breaches.push(...checkProgram(workspace, name, target));
  return breaches;
}

/** Programs are linked when the dependencies are installed, and then dist/ does not exist yet: a small committed file in bin/ imports what is built. */
function checkProgram(workspace: Workspace, name: string, target: string): readonly string[] {
  if (!/^\.\/bin\/.+\.js$/.test(target)) return [`"bin" ${name} must point to a .js file in ./bin/ that imports the program from ../dist/.`];
  if (!existsSync(join(workspace.directory, target))) return [`"bin" ${name} points to ${target}, which does not exist.`];
  return workspace.manifest.files?.includes("bin") ? [] : [`"files" must hold "bin", where the program ${name} lies.`];
}

function checkExport(workspace: Workspace, name: string, target: string | Readonly<Record<string, string>>): readonly string[] {
  const conditions = typeof target === "string" ? {} : target;
  if (Object.keys(conditions).join() !== "types,default") return [`"exports" ${name} must hold "types" first and then "default", and nothing else.`];
  const breaches: string[] = [];
  if (!/^\.\/dist\/.+\.d\.ts$/.test(conditions.types ?? "")) breaches.push(`"exports" ${name}: "types" must be a .d.ts file in ./dist/.`);
  if (conditions.default?.replace(/\.js$/, ".d.ts") !== conditions.types)
    breaches.push(`"exports" ${name}: "types" and "default" must be built from one file.`);
  if (!leadsSomewhere(workspace, conditions.default ?? "")) breaches.push(`"exports" ${name} points to ${conditions.default}, which is not built from src/.`);
  return breaches;
}

/** Asked of the sources and not of dist, so that the answer does not depend on what was built before. */
function leadsSomewhere(workspace: Workspace, target: string): boolean {
  return existsSync(join(workspace.directory, target.replace(/^\.\/dist\//, "src/").replace(/\.js$/, ".ts")));
}
