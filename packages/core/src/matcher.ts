/** Whether a topic matches any of a subscription's patterns: asked once for every delivery. */
import type { TopicPattern } from "./pattern.ts";
import { PatternTrie } from "./pattern-trie.ts";

/** Above so many patterns a trie is faster than asking one after the other. */
const trieFrom = 8;
/** Topics whose answer is remembered; then it starts afresh. */
const knownTopicsMax = 1_000;

/** Remembers its answers: matching takes a topic apart, and most subscriptions see few topics. */
export function topicMatcher(patterns: readonly TopicPattern[]): (topic: string) => boolean {
  const matches = answering(patterns);
  const known = new Map<string, boolean>();
  let lastTopic: string | undefined;
  let lastAnswer = false;
  return (topic) => {
    if (topic === lastTopic) return lastAnswer;
    let answer = known.get(topic);
    if (answer === undefined) {
      if (known.size >= knownTopicsMax) known.clear();
      answer = matches(topic);
      known.set(topic, answer);
    }
    lastTopic = topic;
    lastAnswer = answer;
    return answer;
  };
}

function answering(patterns: readonly TopicPattern[]): (topic: string) => boolean {
  if (patterns.length < trieFrom) return (topic) => patterns.some((pattern) => pattern.matches(topic));
  const trie = new PatternTrie<true>();
  for (const pattern of patterns) trie.add(pattern, true);
  return (topic) => trie.match(topic).size > 0;
}
