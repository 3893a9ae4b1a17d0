/** The results of all analysts together, as both forms of the report show them. Pure. */
import type { Bar } from "./chart.ts";
import { commonTerms, documentFrequencies, keyTerms } from "./terms.ts";
import type { FailedDocument, ReportWanted, Result } from "./topics.ts";

export interface DocumentRow {
  readonly name: string;
  readonly title: string;
  readonly language: string;
  readonly words: number;
  readonly sentences: number;
  readonly readingMinutes: number;
  readonly wordLengthMean: number;
  readonly sentenceWordsMean: number;
  readonly headings: number;
  readonly links: number;
  readonly codeBlocks: number;
  readonly keyTerms: readonly string[];
  /** What is unusual about it: a damaged copy, repaired, had by two analysts. Empty: nothing. */
  readonly remarks: string;
}

export interface Summary {
  readonly folder: string;
  readonly documents: readonly DocumentRow[];
  readonly failed: readonly FailedDocument[];
  readonly events: readonly string[];
  readonly totals: {
    readonly words: number;
    readonly sentences: number;
    readonly readingHours: number;
    readonly links: number;
    readonly codeBlocks: number;
    readonly codeLines: number;
  };
  readonly languages: readonly Bar[];
  readonly scripts: readonly Bar[];
  readonly lengths: readonly Bar[];
  readonly terms: readonly Bar[];
  readonly code: readonly Bar[];
  readonly hosts: readonly Bar[];
  readonly analysts: readonly Bar[];
}

const rowsMax = 12;
const keyTermsPerDocument = 5;

/** Upper bounds of the ranges of words that the chart of lengths shows. */
const lengthBounds = [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, Number.POSITIVE_INFINITY];

export function summarise(results: readonly Result[], { folder, failed, events }: Pick<ReportWanted, "folder" | "failed" | "events">): Summary {
  const documents = results.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const frequencies = documentFrequencies(documents.map(({ analysis }) => analysis.terms));
  const sum = (measure: (result: Result) => number): number => documents.reduce((total, result) => total + measure(result), 0);
  const letters = sum(({ analysis }) => analysis.words * analysis.wordLengthMean);
  return {
    folder,
    failed,
    events,
    documents: documents.map((result) => rowOf(result, keyTerms(result.analysis.terms, frequencies, documents.length, keyTermsPerDocument))),
    totals: {
      words: sum(({ analysis }) => analysis.words),
      sentences: sum(({ analysis }) => analysis.sentences),
      readingHours: sum(({ analysis }) => analysis.readingMinutes) / 60,
      links: sum(({ analysis }) => analysis.linkCount),
      codeBlocks: sum(({ analysis }) => analysis.code.reduce((blocks, one) => blocks + one.blocks, 0)),
      codeLines: sum(({ analysis }) => analysis.code.reduce((lines, one) => lines + one.lines, 0)),
    },
    languages: topOf(documents.map(({ analysis }) => [[analysis.language, 1]])),
    // Weighed by length, so that the shares are those of all letters together.
    scripts: topOf(
      documents.map(({ analysis }) => Object.entries(analysis.scripts).map(([script, share]) => [script, share * analysis.words * analysis.wordLengthMean])),
    ).map(({ label, value }) => ({ label, value, text: `${((value / Math.max(1, letters)) * 100).toFixed(1)} %` })),
    lengths: lengthsOf(documents),
    terms: commonTerms(frequencies, documents.length, rowsMax).map(({ term, count }) => ({ label: term, value: count, text: `in ${count}` })),
    code: topOf(documents.map(({ analysis }) => analysis.code.map(({ language, blocks }) => [language, blocks]))),
    hosts: topOf(documents.map(({ analysis }) => analysis.hosts.map(({ term, count }) => [term, count]))),
    analysts: topOf(
      documents.map(({ analyst }) => [[analyst, 1]]),
      64,
    ),
  };
}

function rowOf({ name, bytes, analysis, isDamaged, repair, deliveries, attempt }: Result, terms: readonly string[]): DocumentRow {
  const remarks = [
    isDamaged ? "damaged copy" : "",
    repair === undefined ? "" : `redriven: ${repair}`,
    // A redriven message has been handed over before as well; that is said already.
    deliveries > 1 && repair === undefined ? "taken over from another analyst" : "",
    attempt > 1 ? `attempt ${attempt}` : "",
  ];
  return {
    name,
    title: analysis.title ?? "",
    language: analysis.language,
    words: analysis.words,
    sentences: analysis.sentences,
    readingMinutes: analysis.readingMinutes,
    wordLengthMean: analysis.wordLengthMean,
    sentenceWordsMean: analysis.sentenceWordsMean,
    headings: analysis.headingCount,
    links: analysis.linkCount,
    codeBlocks: analysis.code.reduce((blocks, one) => blocks + one.blocks, 0),
    keyTerms: terms,
    remarks: [...remarks.filter((remark) => remark !== ""), ...(bytes > 1_048_576 ? ["above 1 MiB"] : [])].join("; "),
  };
}

/** Sums by label, the largest first; what has no room is summed up as "others". */
function topOf(lists: readonly (readonly (readonly [string, number])[])[], max: number = rowsMax): readonly Bar[] {
  const sums = new Map<string, number>();
  for (const [label, value] of lists.flat()) sums.set(label, (sums.get(label) ?? 0) + value);
  const bars = Array.from(sums, ([label, value]) => ({ label, value })).sort((a, b) => b.value - a.value || (a.label < b.label ? -1 : 1));
  if (bars.length <= max) return bars;
  const others = bars.slice(max - 1);
  return [...bars.slice(0, max - 1), { label: `${others.length} others`, value: others.reduce((sum, { value }) => sum + value, 0) }];
}

function lengthsOf(documents: readonly Result[]): readonly Bar[] {
  return lengthBounds.map((bound, index) => {
    const from = lengthBounds[index - 1] ?? 0;
    const value = documents.filter(({ analysis }) => analysis.words >= from && analysis.words < bound).length;
    return { label: Number.isFinite(bound) ? `< ${bound.toLocaleString("en")}` : "more", value };
  });
}
