/** The bare relay as a contender of the embedded scenarios. */
import type { MeasureOptions, PartPlan } from "../measure.ts";
import type { RelayConsumerSettings } from "../opponents/relay-consumer.ts";
import type { RelayPublisherSettings } from "../opponents/relay-publisher.ts";
import type { RelayServerSettings } from "../opponents/relay-server.ts";

export interface RelayOptions {
  readonly payloadBytes: number;
  /** Most publishes that are not confirmed. */
  readonly outstanding: number;
  readonly codec: "json" | "none";
  /** Given: latency at this rate is asked. */
  readonly perSecond?: number;
}

/** Frames in one write of the publisher: found best for 256 outstanding, among 32, 64, 128 and 256. */
const batch = 128;
/** Most messages handed to a subscriber and not acked. */
const window = 1_024;
/** Most messages that the relay holds for a subscriber. */
const queueMax = 4_096;

/** Server, consumer and publisher of the relay, each a process. */
export function relayParts(options: RelayOptions): readonly PartPlan[] {
  const { payloadBytes, outstanding, codec, perSecond = 0 } = options;
  const portOf = (ready: Readonly<Record<string, string>>): number => Number(ready.server);
  const server = (): RelayServerSettings => ({ window, queueMax });
  const consumer = (ready: Readonly<Record<string, string>>): RelayConsumerSettings => ({ port: portOf(ready), codec, isTimed: perSecond > 0 });
  const publisher = (ready: Readonly<Record<string, string>>, { warmupSeconds, seconds }: MeasureOptions): RelayPublisherSettings => ({
    port: portOf(ready),
    payloadBytes,
    outstanding,
    batch,
    codec,
    perSecond,
    seconds: warmupSeconds + seconds,
  });
  return [
    { name: "server", part: "opponents/relay-server", settings: server },
    { name: "consumer", part: "opponents/relay-consumer", settings: consumer },
    { name: "publisher", part: "opponents/relay-publisher", settings: publisher },
  ];
}
