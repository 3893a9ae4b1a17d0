/** Patterns and topics over a small alphabet, so that they match often, and the matcher that is obviously right. */
import fc from "fast-check";

export const topicWords = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 7 });

/** Few literals and many wildcards, in any order. */
export const patternWords = fc.array(fc.constantFrom("a", "b", "*", "#", "#"), { minLength: 1, maxLength: 7 });

/** The definition, word by word: exponential in the number of `#`, and nothing to get wrong. */
export function obviouslyMatches(pattern: readonly string[], topic: readonly string[]): boolean {
  const [word, ...rest] = pattern;
  if (word === undefined) return topic.length === 0;
  if (word === "#") return obviouslyMatches(rest, topic) || (topic.length > 0 && obviouslyMatches(pattern, topic.slice(1)));
  return topic.length > 0 && (word === "*" || word === topic[0]) && obviouslyMatches(rest, topic.slice(1));
}
