/**
 * History in a stream queue: read as a consumer from an offset, which uses nothing up. A stream does not say where it ends, so each reading first puts a
 * mark behind what is stored now and reads until it sees it; marks are a few bytes, and nobody is shown them. A position is the stream's offset.
 */
import { HalyardError, type History, type HistoryStart, noHeaders, type StoredMessage, type TopicPattern, unlessAborted } from "@halyard/core/spi";
import type { ConsumeMessage } from "amqplib";
import { type ChannelParts, openChannel } from "./channel.ts";
import { abortedError } from "./errors.ts";
import type { NamespaceNames } from "./names.ts";
import type { Publisher } from "./publisher.ts";
import { fromMessage } from "./wire.ts";

export interface HistoryParts {
  readonly channels: ChannelParts;
  readonly names: NamespaceNames;
  readonly publisher: Publisher;
  readonly lost: () => HalyardError | undefined;
  /** Makes a consumer tag, which is also the name of a mark. */
  readonly nextTag: () => string;
}

/** Messages on their way at once; acked in halves. */
const prefetch = 500;
const markHeader = "halyard-mark";
/** Where a stream was asked for a time it begins with the chunk around it; clocks of publisher and broker may differ as well. */
const clockSlackMs = 60_000;

/** Looks at one stored message and says whether to go on. */
type Visit = (message: ConsumeMessage, offset: number) => boolean;

export function historyOf(parts: HistoryParts): History {
  const { channels, lost } = parts;
  const nowMs = (): number => channels.clock.nowMs();

  async function scan(from: HistoryStart, signal: AbortSignal, visit: Visit): Promise<boolean> {
    const error = lost();
    if (error !== undefined) throw error;
    return unlessAborted(signal, () => abortedError("Reading the history"), scanStream(parts, from, visit));
  }

  return {
    async read({ patterns, from, limit, signal }) {
      const messages: StoredMessage[] = [];
      const sinceMs = typeof from === "object" && "timeMs" in from ? from.timeMs : Number.NEGATIVE_INFINITY;
      const end = await scan(from, signal, (raw, offset) => {
        if (matchesAny(patterns, raw.fields.routingKey)) {
          const message = fromMessage(raw, nowMs);
          if (message.timeMs >= sinceMs) messages.push({ message, position: String(offset) });
        }
        return messages.length < limit;
      });
      return { messages, end };
    },
    /** Streams have no index: everything that is stored is read. */
    async byId(ids, signal) {
      const found = new Map<string, StoredMessage>();
      const wanted = new Set(ids);
      await scan("start", signal, (raw, offset) => {
        const message = fromMessage(raw, nowMs);
        if (wanted.has(message.id) && !found.has(message.id)) found.set(message.id, { message, position: String(offset) });
        return found.size < wanted.size;
      });
      return ids.map((id) => found.get(id));
    },
  };
}

const matchesAny = (patterns: readonly TopicPattern[], topic: string): boolean => patterns.some((pattern) => pattern.matches(topic));

/** Resolves with whether the end of what is stored now was reached. */
async function scanStream({ channels, names, publisher, nextTag }: HistoryParts, from: HistoryStart, visit: Visit): Promise<boolean> {
  const tag = nextTag();
  const first = offsetOf(from);
  await putMark(publisher, names.history, tag);
  const channel = await openChannel(channels);
  try {
    return await new Promise<boolean>((resolve, reject) => {
      let unacked = 0;
      let isOver = false;
      const finish = (isAtEnd: boolean): void => {
        isOver = true;
        resolve(isAtEnd);
      };
      const onMessage = (message: ConsumeMessage | null): void => {
        if (isOver) return;
        if (message === null) {
          reject(new HalyardError("BACKEND_FAILED", "The history's stream was deleted on the broker.", { retryable: true }));
          return;
        }
        if (++unacked >= prefetch / 2) {
          unacked = 0;
          channel.send((raw) => raw.ack(message, true));
        }
        const headers: Readonly<Record<string, unknown>> = message.properties.headers ?? noHeaders;
        const offset = Number(headers["x-stream-offset"]);
        if (headers[markHeader] !== undefined) {
          if (headers[markHeader] === tag) finish(true);
        } else if (offset >= first.from && !visit(message, offset)) finish(false);
      };
      channel.onEnd((error) => reject(error ?? new HalyardError("CONNECTION_LOST", "The connection ended while the history was read.")));
      channel
        .call(`Consuming the stream ${names.history}`, async (raw) => {
          await raw.prefetch(prefetch);
          await raw.consume(names.history, onMessage, { consumerTag: tag, arguments: { "x-stream-offset": first.argument } });
        })
        .catch(reject);
    });
  } finally {
    channel.onEnd(() => undefined);
    await channel.close();
  }
}

/** What the broker is asked for, and the first offset that counts: a stream begins with the chunk that holds what was asked for. */
function offsetOf(from: HistoryStart): { readonly argument: unknown; readonly from: number } {
  if (from === "start") return { argument: "first", from: 0 };
  if ("timeMs" in from) return { argument: { "!": "timestamp", value: Math.max(0, Math.floor((from.timeMs - clockSlackMs) / 1_000)) }, from: 0 };
  const after = /^\d{1,15}$/.test(from.after) ? Number(from.after) : Number.NaN;
  if (!Number.isSafeInteger(after)) throw new HalyardError("INVALID_OPTIONS", `${JSON.stringify(from.after)} is no position in this history.`);
  return { argument: { "!": "long", value: after + 1 }, from: after + 1 };
}

async function putMark(publisher: Publisher, queue: string, mark: string): Promise<void> {
  const line = await publisher.line();
  const options = { mandatory: true, headers: { [markHeader]: mark }, messageId: mark };
  if ((await line.publish([{ exchange: "", routingKey: queue, body: Buffer.alloc(0), options }])) === undefined) return;
  throw new HalyardError("BACKEND_FAILED", "RabbitMQ did not take the mark that ends a reading of the history.", { retryable: true });
}
