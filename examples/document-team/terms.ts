/**
 * Key terms: words and pairs of words that a document uses more than others do. An analyst sees one document and counts (`countTerms`); the reporter sees them
 * all and weighs each count by how rare the term is among the documents (`keyTerms`, tf-idf).
 */
import { isSmallWord } from "./language.ts";

export interface TermCount {
  readonly term: string;
  readonly count: number;
}

/** Terms of one document that travel in its result. */
const termsPerDocumentMax = 60;

/** The most frequent terms of a text. `words` in lower case, in their order; an empty one stands for the end of a sentence. */
export function countTerms(words: readonly string[]): readonly TermCount[] {
  const counts = new Map<string, number>();
  let before: string | undefined;
  for (const word of words) {
    const isTerm = isTermWord(word);
    if (isTerm) raise(counts, word);
    if (isTerm && before !== undefined && before !== word) raise(counts, `${before} ${word}`);
    before = isTerm ? word : undefined;
  }
  return Array.from(counts, ([term, count]) => ({ term, count }))
    .filter(({ term, count }) => count > 1 || !term.includes(" "))
    .sort(byCount)
    .slice(0, termsPerDocumentMax);
}

/** In how many documents each term occurs. */
export function documentFrequencies(documents: Iterable<readonly TermCount[]>): ReadonlyMap<string, number> {
  const frequencies = new Map<string, number>();
  for (const terms of documents) for (const { term } of terms) raise(frequencies, term);
  return frequencies;
}

/** What this document is about: frequent in it, rare in the others. */
export function keyTerms(terms: readonly TermCount[], frequencies: ReadonlyMap<string, number>, documents: number, limit: number): readonly string[] {
  const weighed = terms.map(({ term, count }) => ({ term, weight: (1 + Math.log(count)) * Math.log((documents + 1) / (frequencies.get(term) ?? 1)) }));
  weighed.sort((a, b) => b.weight - a.weight || (a.term < b.term ? -1 : 1));
  return withoutParts(
    weighed.map(({ term }) => term),
    limit,
  );
}

/** What the whole collection is about: terms of several documents, by how many have them. One that most documents share says nothing. */
export function commonTerms(frequencies: ReadonlyMap<string, number>, documents: number, limit: number): readonly TermCount[] {
  const counted = Array.from(frequencies, ([term, count]) => ({ term, count })).filter(({ count }) => count > 1 && count <= Math.max(2, documents * 0.8));
  return counted.sort(byCount).slice(0, limit);
}

/** "message bus" makes "message" and "bus" superfluous. */
function withoutParts(terms: readonly string[], limit: number): readonly string[] {
  const chosen: string[] = [];
  for (const term of terms) {
    if (chosen.length >= limit) break;
    if (!chosen.some((other) => other.split(" ").includes(term) || term.split(" ").includes(other))) chosen.push(term);
  }
  return chosen;
}

/** Three letters at least, or two of a script that writes words with few; no numbers, no small words. */
function isTermWord(word: string): boolean {
  if (word.length > 40 || !/\p{L}/u.test(word) || /^[\d.,]+/.test(word)) return false;
  return (word.length >= 3 || (word.length === 2 && word > "\u{3000}")) && !isSmallWord(word);
}

function raise(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function byCount(a: TermCount, b: TermCount): number {
  return b.count - a.count || (a.term < b.term ? -1 : 1);
}
