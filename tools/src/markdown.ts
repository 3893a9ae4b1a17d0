/** Just enough Markdown for the checks: fenced code blocks, links and headings. Line by line, because a fence may hold anything. */
import { join } from "node:path";
import { listFiles } from "./workspaces.ts";

/** A fenced code block. */
export interface CodeBlock {
  /** The first word after the fence: `ts`, `text`, `sh`. */
  readonly language: string;
  /** The other words after the fence: `run`, `file=toy.ts`. */
  readonly tags: readonly string[];
  /** Line of the opening fence, starting at 1. */
  readonly line: number;
  readonly text: string;
}

/** Everything of a Markdown file that the checks ask for. */
export interface MarkdownFile {
  readonly blocks: readonly CodeBlock[];
  readonly links: readonly { readonly target: string; readonly line: number }[];
  /** What `#…` links may point to, as GitHub makes it from the headings. */
  readonly anchors: ReadonlySet<string>;
}

/** Reads the text of a Markdown file. Throws when a code block is not closed, because the rest of the file would be taken for code. */
export function parseMarkdown(text: string): MarkdownFile {
  const blocks: CodeBlock[] = [];
  const links: { target: string; line: number }[] = [];
  const anchors = new Set<string>();
  let open: { fence: string; language: string; tags: readonly string[]; line: number; lines: string[] } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    if (open !== undefined) {
      if (line.trim() === open.fence) {
        blocks.push({ language: open.language, tags: open.tags, line: open.line, text: `${open.lines.join("\n")}\n` });
        open = undefined;
      } else open.lines.push(line);
      continue;
    }
    const [, fence, information = ""] = /^\s*(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
    if (fence !== undefined) {
      const [language = "", ...tags] = information.trim().split(/\s+/);
      open = { fence, language, tags, line: index + 1, lines: [] };
      continue;
    }
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (heading !== undefined) anchors.add(freeAnchor(anchorOf(heading), anchors));
    links.push(...linksIn(line).map((target) => ({ target, line: index + 1 })));
  }
  if (open !== undefined) throw new Error(`The code block that opens in line ${open.line} is not closed.`);
  return { blocks, links, anchors };
}

/** The Markdown files that people wrote: all but changelogs and changesets, which a tool writes or deletes. */
export function listMarkdown(root: string): readonly string[] {
  return listFiles(root, ".md").filter((path) => !path.endsWith("CHANGELOG.md") && !path.startsWith(join(root, ".changeset")));
}

function linksIn(line: string): readonly string[] {
  const withoutCode = line.replace(/`[^`]*`/g, "");
  const inline = [...withoutCode.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)].map((match) => match[1] ?? "");
  const definition = /^\s*\[[^\]]+\]:\s*<?([^\s>]+)/.exec(withoutCode)?.[1];
  const attributes = [...withoutCode.matchAll(/\b(?:href|src)="([^"]+)"/g)].map((match) => match[1] ?? "");
  return [...inline, ...attributes, ...(definition === undefined ? [] : [definition])];
}

/** GitHub's rule: lower case, no punctuation, spaces become hyphens. */
function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
}

function freeAnchor(anchor: string, taken: ReadonlySet<string>): string {
  let free = anchor;
  for (let number = 1; taken.has(free); number++) free = `${anchor}-${number}`;
  return free;
}
