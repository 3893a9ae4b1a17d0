/** What an analyst finds out about one document. Pure: bytes in, plain data out, small enough to travel in a message whatever the document holds. */
import type { DocumentKind } from "./documents.ts";
import { languageOf, type Script, scriptShares } from "./language.ts";
import { type CodeBlock, type Heading, type Structure, structureOf } from "./structure.ts";
import { countTerms, type TermCount } from "./terms.ts";

export interface Analysis {
  readonly title: string | undefined;
  readonly characters: number;
  readonly words: number;
  readonly sentences: number;
  /** Characters. */
  readonly wordLengthMean: number;
  readonly sentenceWordsMean: number;
  readonly readingMinutes: number;
  readonly language: string;
  /** Share of each script among the letters. */
  readonly scripts: Readonly<Partial<Record<Script, number>>>;
  readonly terms: readonly TermCount[];
  readonly headings: readonly Heading[];
  readonly headingCount: number;
  readonly linkCount: number;
  /** How often each host is linked to, the most frequent first. */
  readonly hosts: readonly TermCount[];
  /** By language, the most frequent first. */
  readonly code: readonly { readonly language: string; readonly blocks: number; readonly lines: number }[];
}

/** Why a document cannot be analysed, now or ever: no retry helps. */
export type Unreadable = "EMPTY" | "NOT_UTF8" | "TOO_LARGE" | "NOT_ACCESSIBLE";

export class UnreadableDocument extends Error {
  override readonly name = "UnreadableDocument";
  readonly code: Unreadable;

  constructor(code: Unreadable, message: string) {
    super(message);
    this.code = code;
  }
}

/** Words that a reader takes in, per minute (Brysbaert 2019, silent reading of English non-fiction: 238). */
const wordsPerMinute = 238;
const pieceCharactersMin = 4_000;
const pieceCharactersMax = 8_000;
const headingsMax = 40;
const hostsMax = 30;
const codeLanguagesMax = 30;

/** @throws UnreadableDocument `EMPTY`, `NOT_UTF8` */
export function textOf(bytes: Uint8Array): string {
  if (bytes.byteLength === 0) throw new UnreadableDocument("EMPTY", "The document is empty: 0 bytes.");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UnreadableDocument(
      "NOT_UTF8",
      `The document is not UTF-8: the sequence at byte ${firstBadByte(bytes)} of ${bytes.byteLength} cannot be decoded.`,
    );
  }
  if (text.trim() === "") throw new UnreadableDocument("EMPTY", `The document is empty: ${bytes.byteLength} bytes of white space.`);
  return text;
}

export function analyse(text: string, kind: DocumentKind): Analysis {
  const structure = structureOf(text, kind);
  const { words, sentences } = measure(structure.prose);
  const letters = words.reduce((sum, word) => sum + word.length, 0);
  const spoken = words.filter((word) => word !== "");
  const scripts = scriptShares(structure.prose);
  return {
    title: titleOf(structure),
    characters: text.length,
    words: spoken.length,
    sentences,
    wordLengthMean: ratio(letters, spoken.length),
    sentenceWordsMean: ratio(spoken.length, sentences),
    readingMinutes: spoken.length / wordsPerMinute,
    language: languageOf(spoken, scripts),
    scripts,
    terms: countTerms(words),
    headings: structure.headings.slice(0, headingsMax),
    headingCount: structure.headings.length,
    linkCount: structure.links.length,
    hosts: hostsOf(structure.links),
    code: codeOf(structure.codeBlocks),
  };
}

const segmenters = {
  word: new Intl.Segmenter("en", { granularity: "word" }),
  sentence: new Intl.Segmenter("en", { granularity: "sentence" }),
};

/** Words in lower case with an empty one after each sentence. By the Unicode rules, so languages without spaces are counted too. */
function measure(prose: string): { readonly words: readonly string[]; readonly sentences: number } {
  const words: string[] = [];
  let sentences = 0;
  // A paragraph at a time: a line break alone ends no sentence, an empty line does.
  for (const piece of prose.split(/\n[ \t]*\n/).flatMap(piecesOf)) {
    for (const { segment: sentence } of segmenters.sentence.segment(piece)) {
      const before = words.length;
      for (const { segment, isWordLike } of segmenters.word.segment(sentence)) if (isWordLike === true) words.push(segment.toLowerCase());
      if (words.length === before) continue;
      sentences++;
      words.push("");
    }
  }
  return { words, sentences };
}

/**
 * A long paragraph in pieces that end between words. Finding sentences takes time with the square of the length where none ends (measured: a table of 1.9 MB
 * without an empty line took eight minutes), and a paragraph that people wrote is shorter than this anyway.
 */
function piecesOf(paragraph: string): readonly string[] {
  const pieces: string[] = [];
  for (let from = 0; from < paragraph.length; ) {
    const most = paragraph.slice(from, from + pieceCharactersMax).replaceAll("\n", " ");
    const blank = most.length < pieceCharactersMax ? -1 : most.indexOf(" ", pieceCharactersMin);
    const piece = blank < 0 ? most : most.slice(0, blank);
    pieces.push(piece);
    from += piece.length;
  }
  return pieces;
}

/** The most important heading, the first of those. */
function titleOf({ headings }: Structure): string | undefined {
  const top = Math.min(...headings.map(({ level }) => level));
  return headings.find(({ level }) => level === top)?.text;
}

function hostsOf(links: readonly string[]): readonly TermCount[] {
  const counts = new Map<string, number>();
  for (const link of links) {
    const host = /^https?:\/\/(?:[^/@]*@)?([^/:?#]+)/i
      .exec(link)?.[1]
      ?.toLowerCase()
      .replace(/^www\./, "");
    if (host !== undefined && host.length <= 253) counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  const hosts = Array.from(counts, ([term, count]) => ({ term, count }));
  return hosts.sort((a, b) => b.count - a.count || (a.term < b.term ? -1 : 1)).slice(0, hostsMax);
}

function codeOf(blocks: readonly CodeBlock[]): Analysis["code"] {
  const found = new Map<string, { language: string; blocks: number; lines: number }>();
  for (const { language, lines } of blocks) {
    const entry = found.get(language) ?? { language, blocks: 0, lines: 0 };
    found.set(language, { language, blocks: entry.blocks + 1, lines: entry.lines + lines });
  }
  return [...found.values()].sort((a, b) => b.blocks - a.blocks).slice(0, codeLanguagesMax);
}

/** Where the first sequence begins that is not UTF-8. */
function firstBadByte(bytes: Uint8Array): number {
  let [good, bad] = [0, bytes.byteLength];
  // As a stream a prefix may end within a sequence, so "decodes" turns to "does not" only once, and can be searched by halves.
  while (good < bad) {
    const middle = (good + bad + 1) >> 1;
    if (decodes(bytes.subarray(0, middle), true)) good = middle;
    else bad = middle - 1;
  }
  // A sequence has at most four bytes: the bad one began up to three before.
  let start = good;
  while (start > good - 3 && start > 0 && !decodes(bytes.subarray(0, start), false)) start--;
  return start;
}

function decodes(bytes: Uint8Array, stream: boolean): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream });
    return true;
  } catch {
    return false;
  }
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
