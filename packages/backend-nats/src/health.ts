/** Whether JetStream stores, whether the stream has room, and how late it is on the server. */
import { type Clock, HalyardError, isHalyardError } from "@halyard/core/spi";
import { AckPolicy } from "@nats-io/jetstream";
import type { JetStreamApi } from "./jetstream-api.ts";
import { pingSubject, type Topology } from "./names.ts";
import type { Publisher } from "./publisher.ts";
import type { ServerClock } from "./server-clock.ts";

/** The server removes the consumer of a session that dies meanwhile. */
const clockReaderNs = 5_000_000_000;

export interface HealthParts {
  readonly clock: Clock;
  readonly api: JetStreamApi;
  readonly publisher: Publisher;
  readonly topology: Topology;
  readonly serverClock: ServerClock;
}

/** Stores a small message and reads it back: JetStream stores, and it is so late there. */
export async function ping({ clock, api, publisher, topology, serverClock }: HealthParts): Promise<void> {
  const subject = pingSubject(topology);
  const [status] = (await publisher.send([{ subject, headers: Buffer.from("NATS/1.0\r\nNats-Rollup: sub\r\n\r\n"), body: new Uint8Array(0) }], true)) ?? [];
  const ownMs = clock.monotonicMs();
  if (status !== undefined && status.status !== "accepted") throw status.error;
  const stored = await api.last(topology.inbox, subject);
  // Somebody else's ping may be newer than ours: then it was stored after our reading, and would make our clock run ahead.
  if (stored !== undefined && status?.position === `${topology.inbox}:${stored.sequence}`) serverClock.note(stored.storedMs, ownMs);
  else if (stored !== undefined && serverClock.isOld) serverClock.note(stored.storedMs, clock.monotonicMs());
}

/**
 * What time it is on the server. One without room stores no message; it still makes a consumer in memory and says when. That counts only then: in a cluster
 * it is not the stream's own server that says it.
 */
export async function lookAtClock(parts: HealthParts): Promise<void> {
  try {
    await ping(parts);
  } catch (thrown) {
    if (!isHalyardError(thrown, "BACKPRESSURE")) throw thrown;
    const { api, topology, serverClock, clock } = parts;
    const { name, created } = await api.addConsumer(topology.dead, {
      ack_policy: AckPolicy.None,
      inactive_threshold: clockReaderNs,
      mem_storage: true,
      num_replicas: 1,
    });
    serverClock.note(Date.parse(created), clock.monotonicMs());
    await api.deleteConsumer(topology.dead, name);
  }
}

/** A stream that is full refuses messages although JetStream stores others. */
export async function pingWithRoom(parts: HealthParts): Promise<void> {
  const { api, topology } = parts;
  const [info] = await Promise.all([api.streamInfo(topology.stream), ping(parts)]);
  if (info === undefined) throw new HalyardError("CONNECT_FAILED", `The stream ${topology.stream} is gone; the next publish makes it again.`);
  const { config, state } = info;
  if ((config.max_bytes > 0 && state.bytes >= config.max_bytes) || (config.max_msgs > 0 && state.messages >= config.max_msgs))
    throw new HalyardError("BACKPRESSURE", `The stream ${topology.stream} is full: ${state.messages} messages, ${state.bytes} bytes.`);
}
