/**
 * Many patterns, one topic: which values match? A trie over pattern words, walked breadth-first with the set of nodes that are alive after
 * each topic word. The set holds each node once, so a hostile pattern (`#.a.#.a.#…`) costs at most nodes × words, and nothing recurses.
 */
import type { TopicPattern } from "./pattern.ts";

interface TrieNode<Value> {
  readonly word: string;
  readonly parent: TrieNode<Value> | undefined;
  readonly children: Map<string, TrieNode<Value>>;
  /** How often each value was added under this very pattern. */
  readonly values: Map<Value, number>;
}

const nodeOf = <Value>(word: string, parent: TrieNode<Value> | undefined): TrieNode<Value> => ({ word, parent, children: new Map(), values: new Map() });

export class PatternTrie<Value> {
  readonly #root: TrieNode<Value> = nodeOf("", undefined);

  add(pattern: TopicPattern, value: Value): void {
    let node = this.#root;
    for (const word of pattern.words) {
      let child = node.children.get(word);
      if (child === undefined) {
        child = nodeOf(word, node);
        node.children.set(word, child);
      }
      node = child;
    }
    node.values.set(value, (node.values.get(value) ?? 0) + 1);
  }

  /** Takes back one `add` of the same pattern and value. False if there was none. */
  remove(pattern: TopicPattern, value: Value): boolean {
    let node: TrieNode<Value> | undefined = this.#root;
    for (const word of pattern.words) node = node?.children.get(word);
    const times = node?.values.get(value);
    if (node === undefined || times === undefined) return false;
    if (times > 1) node.values.set(value, times - 1);
    else node.values.delete(value);
    // Prune what has become empty, so that patterns that come and go leave nothing behind.
    while (node.parent !== undefined && node.values.size === 0 && node.children.size === 0) {
      node.parent.children.delete(node.word);
      node = node.parent;
    }
    return true;
  }

  /** The distinct values of all patterns that match, in no particular order. */
  match(topic: string): Set<Value> {
    let alive = new Set<TrieNode<Value>>();
    enter(this.#root, alive);
    for (const word of topic.split(".")) {
      const next = new Set<TrieNode<Value>>();
      for (const node of alive) {
        if (node.word === "#") next.add(node); // `#` swallows the word and stays alive
        const literal = node.children.get(word);
        if (literal !== undefined) enter(literal, next);
        const star = node.children.get("*");
        if (star !== undefined) enter(star, next);
      }
      // A node that stays alive by swallowing may have `#` children of its own; they were entered when it was.
      alive = next.size === 0 ? next : closed(next);
    }
    const found = new Set<Value>();
    for (const node of alive) for (const value of node.values.keys()) found.add(value);
    return found;
  }
}

/** Adds a node and, since `#` matches zero words, the chain of `#` children below it. */
function enter<Value>(node: TrieNode<Value>, alive: Set<TrieNode<Value>>): void {
  let current: TrieNode<Value> | undefined = node;
  while (current !== undefined && !alive.has(current)) {
    alive.add(current);
    current = current.children.get("#");
  }
}

function closed<Value>(nodes: Set<TrieNode<Value>>): Set<TrieNode<Value>> {
  for (const node of [...nodes]) {
    const hash = node.children.get("#");
    if (hash !== undefined) enter(hash, nodes);
  }
  return nodes;
}
