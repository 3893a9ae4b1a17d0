/**
 * From AMQP patterns to NATS filters. `*` is the same in both. NATS's `>` takes one word or more, so a trailing `#` (zero or more) becomes two filters:
 * `a.#` is `a` and `a.>`. A `#` that stands inside has no equal; the narrowest filter that takes all it matches is used, and the surplus is dropped by
 * whoever asked. Filters here are words without the prefix of the namespace.
 */
import type { TopicPattern } from "@halyard/core/spi";

export interface Filter {
  readonly words: readonly string[];
  /** Takes nothing but what its pattern matches. */
  readonly isExact: boolean;
}

export const textOf = (filter: Filter): string => filter.words.join(".");

/** The filters that together take what the pattern matches, and nothing else where all of them are exact. */
export function filtersOf(pattern: TopicPattern): readonly Filter[] {
  const { words } = pattern;
  const first = words.indexOf("#");
  if (first < 0) return [{ words, isExact: true }];
  const head = words.slice(0, first);
  const tail = words.slice(first).filter((word) => word !== "#");
  if (tail.length > 0) {
    // `a.#.b.c` has at least as many words as are not `#`: the narrowest is `a.*.>`.
    const isAll = tail.length === 1 && tail[0] === "*"; // `a.#.*` is "one word or more after a", which is what `>` says
    return [{ words: [...head, ...tail.slice(1).map(() => "*"), ">"], isExact: isAll }];
  }
  if (head.length === 0) return [{ words: [">"], isExact: true }];
  if (head.length === 1 && head[0] === "*") return [{ words: [">"], isExact: true }];
  return [
    { words: head, isExact: true },
    { words: [...head, ">"], isExact: true },
  ];
}

/** Whether a subject (without the prefix) passes the filter. */
export function takes(filter: readonly string[], topic: readonly string[]): boolean {
  for (let index = 0; index < filter.length; index++) {
    const word = filter[index];
    if (index >= topic.length) return false;
    if (word === ">") return true;
    if (word !== "*" && word !== topic[index]) return false;
  }
  return filter.length === topic.length;
}

/** Whether `wide` takes all that `narrow` takes. */
export function covers(wide: readonly string[], narrow: readonly string[]): boolean {
  for (let index = 0; index < wide.length; index++) {
    const word = wide[index];
    const other = narrow[index];
    if (other === undefined) return false;
    if (word === ">") return true;
    if (other === ">") return false;
    if (word !== "*" && word !== other) return false;
  }
  return wide.length === narrow.length;
}

/** Whether some subject passes both. */
export function collide(left: readonly string[], right: readonly string[]): boolean {
  for (let index = 0; ; index++) {
    const one = left[index];
    const other = right[index];
    if (one === undefined || other === undefined) return one === other;
    if (one === ">" || other === ">") return true;
    if (one !== "*" && other !== "*" && one !== other) return false;
  }
}

/** The filters that none of the others makes superfluous, in the order given. Exact wins over wide where two are equal. */
export function coverOf(filters: readonly Filter[]): readonly Filter[] {
  const kept: Filter[] = [];
  for (const filter of filters) {
    const equal = kept.findIndex(({ words }) => covers(words, filter.words) && covers(filter.words, words));
    if (equal >= 0) {
      if (filter.isExact) kept[equal] = filter;
      continue;
    }
    if (kept.some(({ words }) => covers(words, filter.words))) continue;
    for (let index = kept.length - 1; index >= 0; index--) if (covers(filter.words, kept[index]?.words ?? [])) kept.splice(index, 1);
    kept.push(filter);
  }
  return kept;
}

/** One filter that takes at least what all of them take: their common first words, then `>`. */
export function widest(filters: readonly Filter[]): Filter {
  const [first] = filters;
  if (first === undefined || filters.length === 1) return first ?? { words: [">"], isExact: false };
  const head: string[] = [];
  for (const [index, word] of first.words.entries()) {
    // `>` needs a word to stand for: the shortest filter must have one left.
    if (word === ">" || filters.some(({ words }) => words[index] !== word || words.length <= index + 1)) break;
    head.push(word);
  }
  return { words: [...head, ">"], isExact: false };
}
