/** What was published, read back in order, where the stream keeps it (retention `"limits"`). A position is `{stream}:{sequence}`. */
import { HalyardError, type History, type HistoryStart, type StoredMessage, type TopicPattern } from "@halyard/core/spi";
import { collide, coverOf, filtersOf, textOf } from "./filters.ts";
import { abortable } from "./jetstream-api.ts";
import type { Topology } from "./names.ts";
import { readMessage } from "./native-message.ts";
import { type ReadParts, readInOrder } from "./ordered-read.ts";

/** Read at once, at least: of what a wide filter finds much may be surplus. */
const pageMin = 64;
/** Surplus that one call looks through before it returns what it has. */
const lookedThroughMax = 10_000;

/**
 * What a reader asks for, without the prefix: the patterns' filters where one consumer may have them all, else everything. A 2.9 server takes one filter, a
 * newer one several that do not overlap.
 */
export function subjectsOf(patterns: readonly TopicPattern[], hasManyFilters: boolean): readonly string[] {
  const filters = coverOf(patterns.flatMap(filtersOf));
  const isOverlapping = filters.some(({ words }, index) => filters.slice(index + 1).some((other) => collide(words, other.words)));
  return filters.length === 1 || (hasManyFilters && !isOverlapping) ? filters.map(textOf) : [">"];
}

export function historyOf(parts: ReadParts & { readonly topology: Topology; readonly hasManyFilters: boolean }): History {
  const { topology, hasManyFilters } = parts;

  async function read({ patterns, from, limit }: Parameters<History["read"]>[0]): ReturnType<History["read"]> {
    const subjects = subjectsOf(patterns, hasManyFilters).map((subject) => topology.topicPrefix + subject);
    const messages: StoredMessage[] = [];
    let next: { readonly sequence: number } | { readonly timeMs: number } = startOf(from);
    for (let looked = 0; looked < lookedThroughMax; ) {
      const pageMax = Math.max(pageMin, limit - messages.length);
      const found = await readInOrder(parts, { stream: topology.stream, subjects, from: next, limit: pageMax });
      for (const { message, ack } of found) {
        const topic = message.subject.slice(topology.topicPrefix.length);
        if (messages.length === limit) return { messages, end: false };
        if (!patterns.some((pattern) => pattern.matches(topic))) continue;
        const position = `${topology.stream}:${ack.sequence}`;
        messages.push({ message: readMessage(message, topology.topicPrefix.length, () => position).message, position });
      }
      const last = found.at(-1);
      if (found.length < pageMax || last === undefined) return { messages, end: true };
      looked += found.length;
      next = { sequence: last.ack.sequence + 1 };
    }
    return { messages, end: false };
  }

  function startOf(from: HistoryStart): { readonly sequence: number } | { readonly timeMs: number } {
    if (from === "start") return { sequence: 1 };
    if ("timeMs" in from) return { timeMs: from.timeMs };
    const text = from.after.startsWith(`${topology.stream}:`) ? from.after.slice(topology.stream.length + 1) : "";
    const sequence = Number(text);
    if (text === "" || !Number.isSafeInteger(sequence) || sequence < 0)
      throw new HalyardError("INVALID_OPTIONS", `after must be a position of this history, such as ${topology.stream}:1.`);
    return { sequence: sequence + 1 };
  }

  return { read: (request) => abortable(request.signal, "Reading the history", read(request)) };
}
