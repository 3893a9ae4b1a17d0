import { existsSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { listMarkdown, type MarkdownFile, parseMarkdown } from "./markdown.ts";

/** Every relative link in the repository's Markdown files that leads nowhere: to no file, or to no heading in the file. Addresses on the web are not asked. */
export function checkLinks(root: string): readonly string[] {
  const files = new Map(listMarkdown(root).map((path) => [path, parseMarkdown(readFileSync(path, "utf8"))]));
  return [...files].flatMap(([path, file]) =>
    file.links
      .filter((link) => !isExternal(link.target) && !leadsSomewhere(path, link.target, files))
      .map((link) => `${relative(root, path)}:${link.line}: the link to ${link.target} leads nowhere.`),
  );
}

function isExternal(target: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(target);
}

function leadsSomewhere(from: string, target: string, files: ReadonlyMap<string, MarkdownFile>): boolean {
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? from : resolve(dirname(from), decodeURIComponent(path));
  if (!existsSync(file)) return false;
  const anchors = files.get(file)?.anchors;
  return anchor === undefined || anchors === undefined || anchors.has(anchor);
}
