/** Whether what changed for users is announced: every published package that changed is named by a file in `.changeset/`. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { publishedPackages } from "./workspaces.ts";

/**
 * Every package that needs a changeset and has none, and every changeset that names no package.
 * @param base the commit that a pull request goes to; undefined leaves out what only git can tell
 */
export function checkChangesets(root: string, base: string | undefined): readonly string[] {
  const packages = publishedPackages(root);
  const announced = announcedPackages(join(root, ".changeset"));
  const known = new Set(packages.map((workspace) => workspace.manifest.name));
  const unknown = [...announced].filter((name) => !known.has(name)).map((name) => `.changeset names ${name}, which is no published package.`);
  const changed = base === undefined ? [] : changedPaths(root, base);
  const missing = packages
    .filter((workspace) => !announced.has(workspace.manifest.name ?? ""))
    .flatMap((workspace) => {
      if (!existsSync(join(workspace.directory, "CHANGELOG.md")))
        return [`${workspace.path} was never released and no changeset announces it: run "npx changeset".`];
      const isChanged = changed.some((path) => path.startsWith(`${workspace.path}/src/`) || path.startsWith(`${workspace.path}/bin/`));
      return isChanged ? [`${workspace.path} changed and no changeset says what is different for users: run "npx changeset".`] : [];
    });
  return [...unknown, ...missing];
}

/** The front matter of a changeset is `"package": bump` a line, between two lines of dashes. */
function announcedPackages(directory: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const file of existsSync(directory) ? readdirSync(directory) : []) {
    if (!file.endsWith(".md") || file === "README.md") continue;
    const [, frontMatter = ""] = readFileSync(join(directory, file), "utf8").split(/^---$/m);
    for (const [, name = ""] of frontMatter.matchAll(/^["']?([^"'\n:]+)["']?:/gm)) names.add(name);
  }
  return names;
}

function changedPaths(root: string, base: string): readonly string[] {
  const result = spawnSync("git", ["diff", "--name-only", `${base}...HEAD`], { cwd: root, encoding: "utf8" });
  if (result.status !== 0) throw new Error(`git could not compare with ${base}: ${result.stderr || result.error?.message}`);
  return result.stdout.split("\n");
}
