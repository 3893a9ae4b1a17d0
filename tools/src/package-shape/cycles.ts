import { dirname, join, relative, resolve } from "node:path";
import { importsOf, parseSource } from "../syntax.ts";
import { listFiles, type Workspace } from "../workspaces.ts";

/**
 * Modules must not import each other in a circle at run time: the order in which they are evaluated would then depend on who is imported
 * first. Circles of types are erased by the compiler and allowed.
 */
export function checkCycles(workspace: Workspace): readonly string[] {
  const source = join(workspace.directory, "src");
  const imports = new Map(
    listFiles(source, ".ts").map((file) => [
      file,
      importsOf(parseSource(file))
        .filter((found) => found.specifier.startsWith(".") && !found.isTypeOnly)
        .map((found) => resolve(dirname(file), found.specifier)),
    ]),
  );
  const circle = withoutLeaves(imports);
  if (circle.size === 0) return [];
  return [`these modules import each other in a circle, or lie between two circles: ${[...circle].map((file) => relative(source, file)).join(", ")}.`];
}

/** Takes away, again and again, what imports nothing that is left, and what nothing left imports; circles remain. */
function withoutLeaves(imports: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const left = new Set(imports.keys());
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    const imported = new Set([...left].flatMap((file) => imports.get(file) ?? []));
    for (const file of left) {
      const importsSomethingLeft = imports.get(file)?.some((target) => left.has(target)) ?? false;
      if (!importsSomethingLeft || !imported.has(file)) left.delete(file);
    }
  }
  return left;
}
