/** Halyard over a network as a contender: a server of some kind, a consumer and a publisher, each a process. */
import type { ConsumerSettings } from "../halyard/consumer.ts";
import type { Place } from "../halyard/place.ts";
import type { PublisherSettings } from "../halyard/publisher.ts";
import type { MeasureOptions, PartPlan } from "../measure.ts";

export interface HalyardOptions {
  readonly payloadBytes: number;
  readonly outstanding: number;
  readonly concurrency: number;
  /** Default: the bus's own. */
  readonly inFlightMax?: number;
  /** Given: latency at this rate is asked. */
  readonly perSecond?: number;
}

/** The embedded server in a process of its own. */
export const embeddedServer: PartPlan = { name: "server", part: "halyard/embedded-server", settings: () => ({}) };

/** What runs beside `server`, which says where it is reached. */
export function halyardParts(backend: Place["backend"], server: PartPlan, options: HalyardOptions): readonly PartPlan[] {
  const { payloadBytes, outstanding, concurrency, inFlightMax, perSecond = 0 } = options;
  const placeIn = (ready: Readonly<Record<string, string>>): Place => ({ backend, address: ready[server.name] ?? "" });
  const consumer = (ready: Readonly<Record<string, string>>): ConsumerSettings => ({
    place: placeIn(ready),
    concurrency,
    ...(inFlightMax === undefined ? {} : { inFlightMax }),
    isTimed: perSecond > 0,
  });
  const publisher = (ready: Readonly<Record<string, string>>, { warmupSeconds, seconds }: MeasureOptions): PublisherSettings => ({
    place: placeIn(ready),
    payloadBytes,
    outstanding,
    perSecond,
    seconds: warmupSeconds + seconds,
  });
  return [server, { name: "consumer", part: "halyard/consumer", settings: consumer }, { name: "publisher", part: "halyard/publisher", settings: publisher }];
}
