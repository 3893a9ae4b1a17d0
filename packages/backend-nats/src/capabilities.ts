/** What the server that answered can do, and how the streams are that it has. */
import type { Capabilities } from "@halyard/core/spi";
import type { NatsConnection } from "@nats-io/transport-node";
import { delayLateness } from "./delays.ts";
import type { Settings } from "./options.ts";
import type { StreamsFound } from "./streams.ts";

/** Room for headers in the server's `max_payload`: 32 KiB of the user's, core's diagnosis of a dead letter, and Halyard's own fields. */
const headerBytesReserved = 48_000;

export function capabilitiesOf(connection: NatsConnection, settings: Settings, { topics }: StreamsFound): Capabilities {
  const keeps = settings.stream.retention === "limits";
  return {
    durable: topics.config.storage === "file",
    dedupMs: topics.config.duplicate_window / 1_000_000,
    orderedTopics: true,
    exclusive: true,
    priorityLevels: 1,
    delayMsMax: Number.MAX_SAFE_INTEGER,
    delayLateness,
    countsDeliveries: true,
    handlerMsMax: undefined,
    startsAt: { earliest: keeps, time: keeps },
    bodyBytesMax: Math.max(0, (connection.info?.max_payload ?? 0) - headerBytesReserved),
    carriesValues: false,
    persistentByMessage: false,
  };
}

/** Of a version such as `2.10.4` or `2.10.0-beta.1`. */
export function isAtLeast(version: string | undefined, major: number, minor: number): boolean {
  const [first = 0, second = 0] = (version ?? "").split(".").map(Number);
  return first > major || (first === major && second >= minor);
}
