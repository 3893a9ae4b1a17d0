/**
 * Topic → who gets it. Matching walks a trie and makes sets, far too much per message, so the answer is kept per topic until a pattern changes.
 * Programs use few topics; one that makes them up without end (an id in the topic) only starts the cache anew from time to time.
 */
import { PatternTrie, type TopicPattern } from "@halyard/core/spi";
import type { TopicHash } from "./fingerprint.ts";
import type { Group } from "./group.ts";
import type { Live } from "./live.ts";

/** Topics remembered at once. */
export const routesMax = 10_000;

export interface Route {
  readonly topic: string;
  readonly groups: readonly Group[];
  readonly lives: readonly Live[];
  readonly hash: TopicHash;
}

export class Routes {
  readonly #groups = new PatternTrie<Group>();
  readonly #lives = new PatternTrie<Live>();
  readonly #cache = new Map<string, Route>();
  readonly #hashOf: (topic: string) => TopicHash;
  #last: Route | undefined = undefined;

  constructor(hashOf: (topic: string) => TopicHash) {
    this.#hashOf = hashOf;
  }

  of(topic: string): Route {
    if (this.#last?.topic === topic) return this.#last;
    const route = this.#cache.get(topic) ?? this.#find(topic);
    this.#last = route;
    return route;
  }

  /** A pattern that the group has already changes nothing. */
  addGroupPattern(group: Group, pattern: TopicPattern): void {
    if (group.patterns.has(pattern.text)) return;
    group.patterns.set(pattern.text, pattern);
    this.#groups.add(pattern, group);
    this.#forget();
  }

  dropGroupPattern(group: Group, pattern: TopicPattern): void {
    if (!group.patterns.delete(pattern.text)) return;
    this.#groups.remove(pattern, group);
    this.#forget();
  }

  addLive(live: Live): void {
    for (const pattern of live.patterns) this.#lives.add(pattern, live);
    this.#forget();
  }

  removeLive(live: Live): void {
    for (const pattern of live.patterns) this.#lives.remove(pattern, live);
    this.#forget();
  }

  #find(topic: string): Route {
    if (this.#cache.size >= routesMax) this.#cache.clear();
    const route = { topic, groups: [...this.#groups.match(topic)], lives: [...this.#lives.match(topic)], hash: this.#hashOf(topic) };
    this.#cache.set(topic, route);
    return route;
  }

  #forget(): void {
    this.#cache.clear();
    this.#last = undefined;
  }
}
