/** What the broker that answered can do: its version decides, and the type of queue that was chosen. */
import type { Capabilities } from "@halyard/core/spi";
import { lateness } from "./delay-classes.ts";
import type { Settings } from "./options.ts";

/** TTL on quorum queues and at-least-once dead-lettering came with 3.10. */
export const versionMin = "3.10";

/** `3.10.8` → 3.1008, so that versions can be compared. */
export function versionNumber(version: string): number {
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) * 1_000 + Number(minor);
}

export function capabilitiesOf({ queue, bodyBytesMax }: Settings, version: string, handlerMsMax: number | undefined): Capabilities {
  const isQuorum = queue.type === "quorum";
  // Quorum queues know strict priorities since 4.3; two buckets before, and none before 4.0.
  const hasLevels = !isQuorum || versionNumber(version) >= versionNumber("4.3");
  return {
    durable: true,
    dedupMs: 0,
    orderedTopics: true,
    exclusive: true,
    priorityLevels: hasLevels ? 10 : 1,
    delayMsMax: Number.MAX_SAFE_INTEGER,
    delayLateness: lateness,
    countsDeliveries: isQuorum,
    handlerMsMax,
    startsAt: { earliest: false, time: false },
    bodyBytesMax,
    carriesValues: false,
    persistentByMessage: !isQuorum,
  };
}
