/** Reads a stream in order without consuming: an ephemeral consumer without acks, one page, and away with it. For history and dead letters. */

import { type Clock, HalyardError } from "@halyard/core/spi";
import { AckPolicy, type ConsumerConfig, DeliverPolicy } from "@nats-io/jetstream";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { AckSubject } from "./ack-subject.ts";
import type { JetStreamApi } from "./jetstream-api.ts";
import { PullSource } from "./pull-source.ts";
import type { RoundTrips } from "./round-trips.ts";

/** The server removes a reader that was left behind after so long. */
const leftBehindNs = 10_000_000_000;
const readMsMax = 10_000;

export interface ReadParts {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly roundTrips: RoundTrips;
  readonly api: JetStreamApi;
  readonly inboxPrefix: string;
  readonly apiPrefix: string;
  /** Aborts when the session ends. A callback on the connection's own end could not be taken back, and would stay after each page. */
  readonly over: AbortSignal;
}

export interface ReadRequest {
  readonly stream: string;
  readonly subjects: readonly string[];
  readonly from: { readonly sequence: number } | { readonly timeMs: number };
  readonly limit: number;
  /** Where given: what has come is all when nothing more comes for so long. A server that does not see what it has counted (see `unseen.ts`) never says that there is no more. */
  readonly patienceMs?: number;
}

export interface ReadMessage {
  readonly message: Msg;
  readonly ack: AckSubject;
}

/** At most `limit` messages; fewer say that there are no more now. */
export async function readInOrder(parts: ReadParts, request: ReadRequest): Promise<readonly ReadMessage[]> {
  const { api, clock } = parts;
  const { stream, limit, patienceMs } = request;
  const consumer = await api.addConsumer(stream, configOf(request));
  const found: ReadMessage[] = [];
  let cancelTimer: () => void = () => undefined;
  let cancelPatience: () => void = () => undefined;
  let source: PullSource | undefined;
  let onOver: () => void = () => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      cancelTimer = clock.after(readMsMax, () => reject(new HalyardError("TIMEOUT", `Reading the stream ${stream} took longer than ${readMsMax} ms.`)));
      const hasCome = (): void => {
        cancelPatience();
        if (patienceMs !== undefined) cancelPatience = clock.after(patienceMs, () => resolve());
      };
      const reading = new PullSource({
        ...parts,
        stream,
        durable: consumer.name,
        onMessage: (message, ack) => {
          found.push({ message, ack });
          hasCome();
          if (found.length >= limit) resolve();
        },
        onEmpty: () => resolve(),
        onGone: (reason) => reject(new HalyardError("BACKEND_FAILED", `Reading the stream ${stream} ended: ${reason}.`)),
      });
      source = reading;
      reading.pull(limit, { noWait: true });
      hasCome();
      onOver = () => reject(new HalyardError("CONNECTION_LOST", "The connection to the NATS server has ended."));
      if (parts.over.aborted) onOver();
      else parts.over.addEventListener("abort", onOver);
    });
    return found;
  } finally {
    cancelTimer();
    cancelPatience();
    parts.over.removeEventListener("abort", onOver);
    void source?.cancel();
    // The server removes it by itself as well.
    if (!parts.connection.isClosed()) api.deleteConsumer(stream, consumer.name).catch(() => undefined);
  }
}

function configOf({ subjects, from }: ReadRequest): Partial<ConsumerConfig> {
  const [only = ">"] = subjects;
  return {
    ack_policy: AckPolicy.None,
    inactive_threshold: leftBehindNs,
    mem_storage: true,
    num_replicas: 1,
    ...(subjects.length > 1 ? { filter_subjects: [...subjects] } : { filter_subject: only }),
    ...("sequence" in from
      ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, from.sequence) }
      : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(from.timeMs).toISOString() }),
  };
}
