import { basename } from "node:path";
import type { Workspace } from "../workspaces.ts";
import type { ShapeContext } from "./context.ts";

/** What is packed: the build, the sources that its maps point to, and the three texts. A package may add `bin`. */
const packedFiles = ["dist", "src", "README.md", "LICENSE", "CHANGELOG.md"];

/** The fields of `package.json` that are the same everywhere, or follow from the folder's name or from the root. */
export function checkManifest(workspace: Workspace, context: ShapeContext): readonly string[] {
  const { manifest } = workspace;
  const { rootManifest } = context;
  const expectations: readonly (readonly [field: string, actual: unknown, expected: unknown])[] = [
    ["name", manifest.name, `@halyard/${basename(workspace.directory)}`],
    ["license", manifest.license, rootManifest.license],
    ["type", manifest.type, "module"],
    ["sideEffects", manifest.sideEffects, false],
    ["engines.node", manifest.engines?.node, rootManifest.engines?.node],
    ["repository.type", manifest.repository?.type, "git"],
    ["repository.url", manifest.repository?.url, rootManifest.repository?.url],
    ["repository.directory", manifest.repository?.directory, workspace.path],
    ["publishConfig.access", manifest.publishConfig?.access, "public"],
    ["publishConfig.provenance", manifest.publishConfig?.provenance, true],
    ["files", JSON.stringify(manifest.files?.filter((file) => file !== "bin")), JSON.stringify(packedFiles)],
  ];
  const breaches = expectations
    .filter(([, actual, expected]) => actual !== expected)
    .map(([field, actual, expected]) => `"${field}" in package.json must be ${expected}, it is ${actual}.`);
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(manifest.version ?? "")) breaches.push(`"version" in package.json is no version.`);
  if ((manifest.description ?? "").length < 20) breaches.push(`"description" in package.json must say in a sentence what the package is for.`);
  return breaches;
}
