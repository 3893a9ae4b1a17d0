/**
 * What a document is made of: headings, links, code blocks, and the prose that is left. One pass over the lines, not a full parser: a document that uses a
 * rare corner of its format is still measured, a little less exactly.
 *
 * Every expression runs in linear time on any input (no nested or overlapping repetition): documents come from strangers.
 */
import type { DocumentKind } from "./documents.ts";

export interface Heading {
  /** 1 is the title. */
  readonly level: number;
  readonly text: string;
}

export interface CodeBlock {
  /** Lower case; `plain` where the document does not say. */
  readonly language: string;
  readonly lines: number;
}

export interface Structure {
  readonly headings: readonly Heading[];
  readonly codeBlocks: readonly CodeBlock[];
  /** Targets, in order, repeats included. */
  readonly links: readonly string[];
  /** The text that people read: without code, markup, link targets. */
  readonly prose: string;
}

export function structureOf(text: string, kind: DocumentKind): Structure {
  const lines = text.replace(/^\u{feff}/u, "").split(/\r\n|\n|\r/);
  const blocks =
    kind === "markdown" ? markdownBlocks(lines) : kind === "restructured" ? restructuredBlocks(lines) : { headings: [], codeBlocks: [], rest: lines };
  const rest = blocks.rest.join("\n");
  return { headings: blocks.headings, codeBlocks: blocks.codeBlocks, links: linksIn(rest), prose: proseOf(rest) };
}

const frontMatterLinesMax = 200;

interface Blocks {
  readonly headings: Heading[];
  readonly codeBlocks: CodeBlock[];
  /** Lines that are neither code nor an underline. */
  readonly rest: string[];
}

function markdownBlocks(lines: readonly string[]): Blocks {
  const headings: Heading[] = [];
  const codeBlocks: CodeBlock[] = [];
  const rest: string[] = [];
  let wasHeading = false;
  let fence: { readonly mark: string; readonly language: string; lines: number } | undefined;
  for (const line of lines.slice(frontMatterLines(lines))) {
    const text = line.trim();
    const mark = /^(?:`{3,}|~{3,})/.exec(text)?.[0];
    if (fence !== undefined) {
      if (mark?.startsWith(fence.mark) === true && text === mark) {
        codeBlocks.push({ language: fence.language, lines: fence.lines });
        fence = undefined;
      } else fence.lines++;
      continue;
    }
    if (mark !== undefined && !text.slice(mark.length).includes("`")) {
      fence = { mark, language: languageOf(text.slice(mark.length)), lines: 0 };
      continue;
    }
    const hashes = /^#{1,6}(?=\s|$)/.exec(text)?.[0];
    const before = wasHeading ? "" : (rest.at(-1)?.trim() ?? "");
    wasHeading = hashes !== undefined;
    if (hashes !== undefined) add(headings, hashes.length, withoutClosingHashes(text.slice(hashes.length)));
    else if (/^(?:=+|-+)$/.test(text) && isParagraphLine(before)) {
      add(headings, text.startsWith("=") ? 1 : 2, before);
      continue;
    }
    rest.push(hashes === undefined ? line : withoutClosingHashes(text.slice(hashes.length)));
  }
  // A fence that is never closed runs to the end of the document.
  if (fence !== undefined) codeBlocks.push({ language: fence.language, lines: fence.lines });
  return { headings, codeBlocks, rest };
}

/** Lines of metadata between `---` at the top of a file. */
function frontMatterLines(lines: readonly string[]): number {
  if (lines[0]?.trimEnd() !== "---") return 0;
  const end = lines.slice(1, frontMatterLinesMax).findIndex((line) => line.trimEnd() === "---");
  return end < 0 ? 0 : end + 2;
}

/** Underlines make headings, their characters' order of appearance the levels; `::` and code directives begin indented blocks. */
function restructuredBlocks(lines: readonly string[]): Blocks {
  const headings: Heading[] = [];
  const codeBlocks: CodeBlock[] = [];
  const rest: string[] = [];
  const levels: string[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] as string; // index < length
    const before = rest.at(-1)?.trim() ?? "";
    const underline = /^([=\-`:'"~^_*+#<>.])\1*$/.exec(line.trimEnd())?.[1];
    if (underline !== undefined && before !== "" && line.trimEnd().length >= before.length && /\w/.test(before)) {
      if (!levels.includes(underline)) levels.push(underline);
      add(headings, Math.min(6, levels.indexOf(underline) + 1), before);
      continue;
    }
    const directive = /^\s*\.\. (?:code-block|code|sourcecode)::(.*)$/.exec(line);
    if (directive === null && !line.trimEnd().endsWith("::")) {
      if (underline === undefined) rest.push(line);
      continue;
    }
    if (directive === null) rest.push(line);
    const end = endOfIndented(lines, index + 1, indentOf(line));
    const code = lines.slice(index + 1, end).filter((one) => one.trim() !== "" && !/^\s+:[\w-]+:/.test(one));
    if (code.length > 0) codeBlocks.push({ language: languageOf(directive?.[1] ?? ""), lines: code.length });
    if (end > index + 1) index = end - 1;
  }
  return { headings, codeBlocks, rest };
}

const indentOf = (line: string): number => line.length - line.trimStart().length;

/** The first line after `from` that is not blank and not further in than `indent`. */
function endOfIndented(lines: readonly string[], from: number, indent: number): number {
  let end = from;
  for (let index = from; index < lines.length; index++) {
    const line = lines[index] as string; // index < length
    if (line.trim() === "") continue;
    if (indentOf(line) <= indent) break;
    end = index + 1;
  }
  return end;
}

function languageOf(info: string): string {
  const word =
    info
      .trim()
      .split(/[\s,{:]/, 1)[0]
      ?.toLowerCase() ?? "";
  return /^[a-z0-9+#._-]{1,30}$/.test(word) ? word : "plain";
}

/** A table row, a list item, a quote or a rule above `---` makes no heading. */
function isParagraphLine(text: string): boolean {
  return text !== "" && !/^(?:[-*+>|#]|\d+[.)]\s)/.test(text);
}

const withoutClosingHashes = (text: string): string => {
  const trimmed = text.trim();
  let end = trimmed.length;
  while (end > 0 && trimmed[end - 1] === "#") end--;
  return end === 0 || /\s/.test(trimmed[end - 1] as string) ? trimmed.slice(0, end).trim() : trimmed;
};

function add(headings: Heading[], level: number, text: string): void {
  const plain = proseOf(text).replaceAll(/\s+/g, " ").trim();
  if (plain !== "") headings.push({ level, text: plain.slice(0, 200) });
}

/** Inline targets, reference definitions, reStructuredText's `<…>`_ and bare addresses. Images are no links. */
function linksIn(text: string): readonly string[] {
  const withoutImages = text.replaceAll(/!\[[^[\]]*\]\([^()]*\)/g, " ");
  const form = /\]\(\s?<?([^()<>\s]+)|\]:[ \t]+<?([^<>\s]+)|<([^<>\s]+)>`_|(https?:\/\/[^\s<>()[\]"'`|]+)/g;
  return Array.from(
    withoutImages.matchAll(form),
    ([, inline, reference, restructured, bare]) => inline ?? reference ?? restructured ?? withoutFullStop(bare ?? ""),
  );
}

/** A sentence that ends with an address ends with its own sign. */
function withoutFullStop(address: string): string {
  let end = address.length;
  while (end > 0 && ".,;:!?".includes(address[end - 1] as string)) end--;
  return address.slice(0, end);
}

function proseOf(text: string): string {
  return withoutComments(text)
    .replaceAll(/`[^`\n]*`/g, " ")
    .replaceAll(/!\[[^[\]]*\]\([^()]*\)/g, " ")
    .replaceAll(/\]\([^()]*\)/g, "]")
    .replaceAll(/https?:\/\/[^\s<>()[\]]+/g, " ")
    .replaceAll(/<[^<>]*>/g, " ")
    .replaceAll(/^[ \t]*\[[^[\]]*\]:[^\n]*$/gm, " ")
    .replaceAll(/[*_|#>[\]~]+/g, " ");
}

function withoutComments(text: string): string {
  const parts: string[] = [];
  let from = 0;
  for (let start = text.indexOf("<!--"); start >= 0; start = text.indexOf("<!--", from)) {
    const end = text.indexOf("-->", start);
    if (end < 0) break;
    parts.push(text.slice(from, start));
    from = end + 3;
  }
  return parts.join(" ") + text.slice(from);
}
