/** The embedded backend as a contender. */
import type { MeasureOptions, PartPlan } from "../measure.ts";

export interface EmbeddedOptions {
  readonly payloadBytes: number;
  readonly outstanding: number;
  readonly concurrency: number;
  /** Default: the bus's own. */
  readonly inFlightMax?: number;
  /** Given: latency at this rate is asked. */
  readonly perSecond?: number;
}

/** Server, consumer and publisher, each a process. */
export function embeddedParts(options: EmbeddedOptions): readonly PartPlan[] {
  const { payloadBytes, outstanding, concurrency, inFlightMax, perSecond = 0 } = options;
  const portOf = (ready: Readonly<Record<string, string>>): number => Number(ready.server);
  const consumer = (ready: Readonly<Record<string, string>>) => ({ port: portOf(ready), concurrency, inFlightMax, isTimed: perSecond > 0 });
  const publisher = (ready: Readonly<Record<string, string>>, { warmupSeconds, seconds }: MeasureOptions) => ({
    port: portOf(ready),
    payloadBytes,
    outstanding,
    perSecond,
    seconds: warmupSeconds + seconds,
  });
  return [
    { name: "server", part: "halyard/embedded-server", settings: () => ({}) },
    { name: "consumer", part: "halyard/embedded-consumer", settings: consumer },
    { name: "publisher", part: "halyard/embedded-publisher", settings: publisher },
  ];
}
