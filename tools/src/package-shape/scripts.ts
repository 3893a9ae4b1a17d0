import type { Manifest, Workspace } from "../workspaces.ts";

/** The words that work in every folder that has a `package.json`. */
const scriptNames = ["build", "check", "test", "bench", "demo"] as const;

/** The scripts of all workspaces and of the root, and the versions that are stated twice. */
export function checkWorkspaceScripts(workspaces: readonly Workspace[], rootManifest: Manifest): readonly string[] {
  const all = [{ path: "package.json", manifest: rootManifest }, ...workspaces];
  const breaches = all.flatMap(({ path, manifest }) =>
    scriptNames.filter((name) => manifest.scripts?.[name] === undefined).map((name) => `${path}: the script "${name}" is missing.`),
  );
  const pnpm = rootManifest.devDependencies?.pnpm;
  if (rootManifest.packageManager !== `pnpm@${pnpm}`) breaches.push(`package.json: "packageManager" and the dev dependency on pnpm must state one version.`);
  return breaches;
}
