/** Which files of a folder are documents, and finding them. Bounded: a mistyped folder must not walk a whole disk in silence. */
import { opendir, stat } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";

/** The last word of a document's topic: `document.found.markdown`. */
export type DocumentKind = "markdown" | "restructured" | "text";

const kinds: ReadonlyMap<string, DocumentKind> = new Map([
  [".md", "markdown"],
  [".markdown", "markdown"],
  [".mdx", "markdown"],
  [".rst", "restructured"],
  [".txt", "text"],
]);

/** Everything below one folder that looks like a document, at most. */
export const documentsMax = 100_000;
const foldersMax = 200_000;

export interface FoundDocument {
  /** Absolute. */
  readonly path: string;
  /** Below the folder, with `/`: what people see. */
  readonly name: string;
  readonly kind: DocumentKind;
  readonly bytes: number;
}

/** `undefined`: not a document. */
export function kindOf(path: string): DocumentKind | undefined {
  return kinds.get(extname(path).toLowerCase());
}

/**
 * All documents below a folder, in the order of their names. Symbolic links are not followed: in `node_modules` they lead to the same files again.
 * Folders that may not be entered are left out and returned, so that they can be told.
 */
export async function findDocuments(folder: string): Promise<{ readonly documents: readonly FoundDocument[]; readonly unreadable: readonly string[] }> {
  const documents: FoundDocument[] = [];
  const unreadable: string[] = [];
  const folders = [folder];
  for (let index = 0; index < folders.length; index++) {
    if (folders.length > foldersMax) throw new Error(`${folder} has more than ${foldersMax} folders: give a smaller one.`);
    const current = folders[index] as string; // index < length
    try {
      for await (const entry of await opendir(current)) {
        const path = join(current, entry.name);
        if (entry.isDirectory() && entry.name !== ".git") folders.push(path);
        const kind = entry.isFile() ? kindOf(entry.name) : undefined;
        if (kind !== undefined) documents.push({ path, kind, name: relative(folder, path).split(sep).join("/"), bytes: (await stat(path)).size });
        if (documents.length > documentsMax) throw new Error(`${folder} has more than ${documentsMax} documents: give a smaller folder.`);
      }
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      unreadable.push(current);
    }
  }
  return { documents: documents.sort((a, b) => (a.name < b.name ? -1 : 1)), unreadable };
}

/** Not ours to read, or gone since it was listed. */
function isUnreadable(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM" || error.code === "ENOENT");
}
