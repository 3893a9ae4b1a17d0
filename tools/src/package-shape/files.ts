import { existsSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { parseSource, type SyntaxNode } from "../syntax.ts";
import { listFiles, type Workspace } from "../workspaces.ts";
import type { ShapeContext } from "./context.ts";

/** Names that say nothing about what a file explains. */
const emptyNames = /^(utils?|helpers?|common|types|misc|shared)\.ts$/;

/** The files that a package has, and what is fixed about their content. */
export function checkFiles(workspace: Workspace, context: ShapeContext): readonly string[] {
  const at = (path: string): string => join(workspace.directory, path);
  const needed = ["README.md", "LICENSE", "tsconfig.json", "vitest.config.ts", "src/index.ts", "test/tsconfig.json"];
  const breaches = needed.filter((path) => !existsSync(at(path))).map((path) => `${path} is missing.`);
  if (existsSync(at("LICENSE")) && read(at("LICENSE")) !== read(join(context.root, "LICENSE"))) breaches.push("LICENSE differs from the one at the root.");
  if (existsSync(at("README.md")) && !read(at("README.md")).startsWith(`# ${workspace.manifest.name}\n`))
    breaches.push(`README.md must open with "# ${workspace.manifest.name}".`);
  if (listFiles(at("test"), ".test.ts").length === 0) breaches.push("test/ has no *.test.ts file.");
  for (const path of listFiles(at("src"), ".ts"))
    if (emptyNames.test(basename(path))) breaches.push(`${relative(workspace.directory, path)}: name the file after the one thing it explains.`);
  for (const path of listFiles(at("src"), ".js", ".js.map", ".d.ts"))
    breaches.push(`${relative(workspace.directory, path)}: src/ holds sources only; delete it, the build goes to dist/.`);
  if (existsSync(at("src/index.ts"))) breaches.push(...checkIndex(at("src/index.ts")));
  return breaches;
}

function checkIndex(path: string): readonly string[] {
  const statements = parseSource(path).program.body as readonly SyntaxNode[];
  const isReExport = (node: SyntaxNode): boolean => node.type === "ExportAllDeclaration" || (node.type === "ExportNamedDeclaration" && !node.declaration);
  return statements.every(isReExport) ? [] : ["src/index.ts must hold re-exports only: reading it is reading the public surface."];
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}
