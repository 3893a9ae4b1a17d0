import type { Manifest, Workspace } from "../workspaces.ts";

/** What the rules compare a package with. */
export interface ShapeContext {
  readonly root: string;
  readonly rootManifest: Manifest;
  readonly packages: readonly Workspace[];
}
