/**
 * Exact AMQP topic matching: `*` is one word, `#` zero or more, anywhere. Word by word with one row of dynamic programming: time is
 * bounded by pattern words × topic words. Translating to a regular expression explodes on hostile patterns (469 s for one, measured).
 */
import { HalyardError } from "./errors.ts";
import { isTopic, shown, topicBytesMax, topicWordsMax } from "./topic.ts";

export interface TopicPattern {
  readonly text: string;
  readonly words: readonly string[];
  /** No `*`, no `#`: matches the one topic of its own text. */
  readonly isLiteral: boolean;
  matches(topic: string): boolean;
}

/** @throws INVALID_PATTERN */
export function parsePattern(text: string): TopicPattern {
  const words = typeof text === "string" ? text.split(".") : [];
  // A wildcard stands where a word stands: with both replaced by a word, a pattern is a topic.
  const isValid =
    words.length > 0 &&
    words.length <= topicWordsMax &&
    text.length <= topicBytesMax &&
    isTopic(words.map((word) => (word === "*" || word === "#" ? "w" : word)).join("."));
  if (!isValid) {
    throw new HalyardError("INVALID_PATTERN", `${shown(text)} is not a pattern: use a topic whose words may also be * (one word) or # (zero or more words).`);
  }
  const isLiteral = !words.includes("*") && !words.includes("#");
  if (isLiteral) return { text, words, isLiteral, matches: (topic) => topic === text };
  if (text === "#") return { text, words, isLiteral, matches: () => true };
  return { text, words, isLiteral, matches: (topic) => matchesWords(words, topic.split(".")) };
}

/** `row[i]`: the first `i` topic words match the pattern words seen so far. */
export function matchesWords(pattern: readonly string[], topic: readonly string[]): boolean {
  const row = new Uint8Array(topic.length + 1);
  row[0] = 1;
  for (const word of pattern) {
    if (word === "#") {
      for (let index = 1; index <= topic.length; index++) row[index] = row[index] || row[index - 1] || 0;
      continue;
    }
    for (let index = topic.length; index > 0; index--) row[index] = row[index - 1] === 1 && (word === "*" || word === topic[index - 1]) ? 1 : 0;
    row[0] = 0;
  }
  return row[topic.length] === 1;
}
