/**
 * Requests of the control plane: the client library's manager, with a deadline, an abort and Halyard's errors. All requests are small and rare; nothing of
 * the path of a message is here.
 */
import { HalyardError, unlessAborted } from "@halyard/core/spi";
import {
  type ConsumerConfig,
  type ConsumerInfo,
  type JetStreamManager,
  jetstreamManager,
  type StoredMsg,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import type { MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import { apiCodes, fromRequest, isApiCode } from "./errors.ts";

export interface StoredRaw {
  readonly sequence: number;
  readonly storedMs: number;
  readonly subject: string;
  readonly headers: MsgHdrs;
  readonly body: Uint8Array;
}

export class JetStreamApi {
  readonly #manager: JetStreamManager;

  private constructor(manager: JetStreamManager) {
    this.#manager = manager;
  }

  static async open(connection: NatsConnection, options: { readonly timeoutMs: number; readonly domain: string | undefined }): Promise<JetStreamApi> {
    const { timeoutMs: timeout, domain } = options;
    return new JetStreamApi(await jetstreamManager(connection, { checkAPI: false, timeout, ...(domain === undefined ? {} : { domain }) }));
  }

  streamInfo(stream: string, subjectsFilter?: string): Promise<StreamInfo | undefined> {
    const options = subjectsFilter === undefined ? undefined : { subjects_filter: subjectsFilter };
    return orMissing(this.#manager.streams.info(stream, options), apiCodes.streamNotFound, `Looking at the stream ${stream}`);
  }

  addStream(config: Partial<StreamConfig> & { name: string }): Promise<StreamInfo> {
    return named(this.#manager.streams.add(config), `Making the stream ${config.name}`);
  }

  /** Returns how many messages were removed. */
  async purge(stream: string, subject: string): Promise<number> {
    const { purged } = await named(this.#manager.streams.purge(stream, { filter: subject }), `Purging ${subject}`);
    return purged;
  }

  /** Removes what is stored up to a sequence. */
  async purgeUpTo(stream: string, sequence: number): Promise<void> {
    await orMissing(this.#manager.streams.purge(stream, { seq: sequence + 1 }), apiCodes.streamNotFound, `Removing what was handled from ${stream}`);
  }

  /** The first message from `from` on whose subject passes the filter. */
  async nextOn(stream: string, filter: string, from: number): Promise<StoredRaw | undefined> {
    const query = { seq: from, next_by_subj: filter }; // the server takes both together, the client's type knows only the first
    const found = await orMissing(
      this.#manager.streams.getMessage(stream, query),
      [apiCodes.streamNotFound, apiCodes.messageNotFound],
      `Looking for ${filter}`,
    );
    return rawOf(found);
  }

  /** Removing what is gone already is no error. */
  async deleteMessage(stream: string, sequence: number): Promise<void> {
    const deleting = this.#manager.streams.deleteMessage(stream, sequence, false);
    try {
      await deleting;
    } catch (thrown) {
      if (isApiCode(thrown, apiCodes.messageNotFound) || isApiCode(thrown, apiCodes.sequenceNotFound)) return;
      const error = fromRequest(thrown, `Deleting message ${sequence} of ${stream}`);
      if (/no message found|stream store EOF|deleted/i.test(error.message)) return;
      throw error;
    }
  }

  /** The newest message on a subject. */
  async last(stream: string, subject: string): Promise<StoredRaw | undefined> {
    const what = `Reading ${subject}`;
    const found = await orMissing(this.#manager.streams.getMessage(stream, { last_by_subj: subject }), apiCodes.streamNotFound, what);
    return rawOf(found);
  }

  consumerInfo(stream: string, durable: string): Promise<ConsumerInfo | undefined> {
    return orMissing(this.#manager.consumers.info(stream, durable), [apiCodes.consumerNotFound, apiCodes.streamNotFound], `Looking at the consumer ${durable}`);
  }

  addConsumer(stream: string, config: Partial<ConsumerConfig>): Promise<ConsumerInfo> {
    return named(this.#manager.consumers.add(stream, config), `Making the consumer ${config.durable_name ?? "for reading"} on ${stream}`);
  }

  /** Removing what is gone already is no error. */
  async deleteConsumer(stream: string, durable: string): Promise<void> {
    await orMissing(this.#manager.consumers.delete(stream, durable), [apiCodes.consumerNotFound, apiCodes.streamNotFound], `Deleting the consumer ${durable}`);
  }

  async consumers(stream: string): Promise<readonly ConsumerInfo[]> {
    const found: ConsumerInfo[] = [];
    const listing = (async () => {
      for await (const info of this.#manager.consumers.list(stream)) found.push(info);
    })();
    await orMissing(listing, apiCodes.streamNotFound, `Listing the consumers of ${stream}`);
    return found;
  }

  /** Names of a stream's consumers. */
  async consumerNames(stream: string): Promise<readonly string[]> {
    return (await this.consumers(stream)).map(({ name }) => name);
  }
}

function rawOf(found: StoredMsg | null | undefined): StoredRaw | undefined {
  if (found === undefined || found === null) return undefined;
  const { seq, time, subject, header, data } = found;
  return { sequence: seq, storedMs: time.getTime(), subject, headers: header, body: data };
}

async function named<Value>(running: Promise<Value>, what: string): Promise<Value> {
  try {
    return await running;
  } catch (thrown) {
    throw fromRequest(thrown, what);
  }
}

async function orMissing<Value>(running: Promise<Value>, codes: number | readonly number[], what: string): Promise<Value | undefined> {
  try {
    return await running;
  } catch (thrown) {
    for (const code of typeof codes === "number" ? [codes] : codes) if (isApiCode(thrown, code)) return undefined;
    throw fromRequest(thrown, what);
  }
}

/** Rejects with `ABORTED` as soon as the signal aborts, whatever the work does then. */
export const abortable = <Value>(signal: AbortSignal, what: string, work: Promise<Value>): Promise<Value> =>
  unlessAborted(signal, () => new HalyardError("ABORTED", `${what} was given up.`), work);
