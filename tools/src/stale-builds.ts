import { existsSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { listFiles, publishedPackages } from "./workspaces.ts";

/**
 * Removes what the compiler once made of sources that are gone: it never deletes, and `dist` is packed whole, so a used checkout would publish modules
 * that no longer exist. Returns what was removed, relative to the root.
 */
export function removeStaleBuilds(root: string): readonly string[] {
  return publishedPackages(root).flatMap(({ directory }) => {
    const built = join(directory, "dist");
    const stale = listFiles(built, ".js", ".d.ts", ".map").filter((path) => !existsSync(join(directory, "src", sourceOf(relative(built, path)))));
    for (const path of stale) rmSync(path);
    return stale.map((path) => relative(root, path));
  });
}

/** `conformance/suite.d.ts.map` → `conformance/suite.ts`. */
function sourceOf(built: string): string {
  return built.replace(/(\.d\.ts|\.js)(\.map)?$/, ".ts");
}
