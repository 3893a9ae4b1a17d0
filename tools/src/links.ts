/**
 * Links between the repository's Markdown files. Addresses on the web are not asked, but for those that show a file of this repository: the README of a
 * package is read on npm, where nothing outside of the package exists, so it must link to the repository by its full address.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { listMarkdown, type MarkdownFile, parseMarkdown } from "./markdown.ts";
import { readManifest } from "./workspaces.ts";

/** Every link that leads nowhere (to no file, or to no heading in the file), and every link that leaves a published package by a relative path. */
export function checkLinks(root: string): readonly string[] {
  const files = new Map(listMarkdown(root).map((path) => [path, parseMarkdown(readFileSync(path, "utf8"))]));
  const address = addressOf(root);
  return [...files].flatMap(([path, file]) =>
    file.links.flatMap(({ target, line }) => {
      const fault = faultOf(target, { from: path, root, address, files });
      return fault === undefined ? [] : [`${relative(root, path)}:${line}: the link to ${target} ${fault}`];
    }),
  );
}

interface LinkPlace {
  readonly from: string;
  readonly root: string;
  /** Begins the address of every file of this repository; missing where the manifest at the root does not say. */
  readonly address: string | undefined;
  readonly files: ReadonlyMap<string, MarkdownFile>;
}

function faultOf(target: string, place: LinkPlace): string | undefined {
  const { from, root, address, files } = place;
  const isOurs = address !== undefined && target.startsWith(address);
  if (!isOurs && isExternal(target)) return undefined;
  const [path = "", anchor] = (isOurs ? target.slice(address.length) : target).split("#");
  const file = path === "" && !isOurs ? from : resolve(isOurs ? root : dirname(from), decodeURIComponent(path));
  const home = packageOf(root, from);
  if (!isOurs && home !== undefined && !isWithin(home, file))
    return `leaves the package, and is dead where the package is installed: write ${address ?? "the address of the repository and "}${relative(root, file)}.`;
  return leadsSomewhere(file, anchor, files) ? undefined : "leads nowhere.";
}

function isExternal(target: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(target);
}

function leadsSomewhere(file: string, anchor: string | undefined, files: ReadonlyMap<string, MarkdownFile>): boolean {
  if (!existsSync(file)) return false;
  const anchors = files.get(file)?.anchors;
  return anchor === undefined || anchors === undefined || anchors.has(anchor);
}

/** `git+https://github.com/a/b.git` → `https://github.com/a/b/blob/main/`. */
function addressOf(root: string): string | undefined {
  const url = existsSync(join(root, "package.json")) ? readManifest(root).repository?.url : undefined;
  return url === undefined ? undefined : `${url.replace(/^git\+/, "").replace(/\.git$/, "")}/blob/main/`;
}

/** The folder below `packages/` that a file lies in. */
function packageOf(root: string, file: string): string | undefined {
  const [first, name] = relative(root, file).split(sep);
  return first === "packages" && name !== undefined ? join(root, first, name) : undefined;
}

function isWithin(directory: string, file: string): boolean {
  return file === directory || file.startsWith(directory + sep);
}
