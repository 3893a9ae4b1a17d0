/**
 * What was published, kept in a stream for each topic. Ids of entries are given by the publish script, rising over the whole namespace, so that the
 * streams of many topics merge into one order.
 */
import type { History, StoredMessage, TopicPattern } from "@halyard/core/spi";
import type { Control, RangeEntry } from "./control.ts";
import { readMessage } from "./wire.ts";

/** Entries read from one topic at once. */
const readMin = 10;

export function historyOf(control: Control): History {
  const { commands, settings, assertAlive } = control;

  async function topicsOf(patterns: readonly TopicPattern[]): Promise<readonly string[]> {
    const topics = (await commands.call("SMEMBERS", `${commands.root}topics`)) as string[];
    return topics.filter((topic) => patterns.some((pattern) => pattern.matches(topic)));
  }

  async function readTopic(topic: string, from: string, count: number): Promise<readonly StoredMessage[]> {
    const entries = (await commands.callBytes("XRANGE", commands.root + settings.names.topic + topic, from, "+", "COUNT", count)) as readonly RangeEntry[];
    return entries.map(([id, values]) => ({ position: String(id), message: readMessage(values ?? [], { entryId: String(id), topic }) }));
  }

  return {
    async read({ patterns, from, limit, signal }) {
      assertAlive(signal);
      const topics = await topicsOf(patterns);
      const start = from === "start" ? "-" : "after" in from ? `(${from.after}` : String(Math.ceil(from.timeMs));
      const count = Math.max(readMin, Math.ceil((limit * 2) / Math.max(1, topics.length)));
      const parts = await Promise.all(topics.map((topic) => readTopic(topic, start, count)));
      // Of a topic that has more, nothing is known behind the last entry read: what stands there in other topics waits for the next page.
      const horizons = parts.filter((part) => part.length >= count).map((part) => part.at(-1)?.position ?? "");
      const horizon = horizons.sort(comparePositions)[0];
      const messages = parts
        .flat()
        .filter(({ position }) => horizon === undefined || comparePositions(position, horizon) <= 0)
        .sort((left, right) => comparePositions(left.position, right.position));
      return { messages: messages.slice(0, limit), end: horizon === undefined && messages.length <= limit };
    },
  };
}

/** `<milliseconds>-<number>` */
export function comparePositions(left: string, right: string): number {
  const [leftMs = 0, leftNumber = 0] = left.split("-").map(Number);
  const [rightMs = 0, rightNumber = 0] = right.split("-").map(Number);
  return leftMs - rightMs || leftNumber - rightNumber;
}
