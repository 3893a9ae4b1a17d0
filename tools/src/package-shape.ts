/**
 * The shape that every published package has, checked by machine so that a reviewer need not: metadata, files, entry points, scripts, and
 * dependencies that are exactly what the sources import. Each rule lies in a file of `package-shape/`; a breach is one sentence with its place.
 */
import { checkCycles } from "./package-shape/cycles.ts";
import { checkDependencies } from "./package-shape/dependencies.ts";
import { checkEntryPoints } from "./package-shape/entry-points.ts";
import { checkFiles } from "./package-shape/files.ts";
import { checkFloors } from "./package-shape/floors.ts";
import { checkManifest } from "./package-shape/manifest.ts";
import { checkWorkspaceScripts } from "./package-shape/scripts.ts";
import { publishedPackages, readManifest, readWorkspaces } from "./workspaces.ts";

/** Every breach below `root`, empty when all is well. */
export function checkPackageShape(root: string): readonly string[] {
  const rootManifest = readManifest(root);
  const packages = publishedPackages(root);
  const context = { root, rootManifest, packages };
  const breaches = packages.flatMap((workspace) =>
    [checkManifest, checkFiles, checkEntryPoints, checkDependencies, checkFloors, checkCycles].flatMap((rule) =>
      rule(workspace, context).map((breach) => `${workspace.path}: ${breach}`),
    ),
  );
  return [...breaches, ...checkWorkspaceScripts(readWorkspaces(root), rootManifest)];
}
