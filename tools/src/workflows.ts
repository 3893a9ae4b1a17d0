/** A tag of an action can be moved to other code at any time; a commit cannot. */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { listFiles } from "./workspaces.ts";

/** Every use of an action below `.github/workflows` that is not pinned to a full commit with its version in a comment. */
export function checkWorkflows(root: string): readonly string[] {
  return listFiles(join(root, ".github/workflows"), ".yml", ".yaml").flatMap((path) =>
    readFileSync(path, "utf8")
      .split("\n")
      .flatMap((line, index) =>
        isPinned(line) ? [] : [`${relative(root, path)}:${index + 1}: pin the action to a full commit, with its version in a comment.`],
      ),
  );
}

function isPinned(line: string): boolean {
  const [, action] = /^\s*(?:-\s+)?uses:\s*(.*)$/.exec(line) ?? [];
  return action === undefined || action.startsWith("./") || /^[^@\s]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action);
}
