/** Programs on bare client libraries as contenders of the broker scenarios. */
import type { MeasureOptions, PartPlan } from "../measure.ts";
import type { BareConsumerSettings } from "../opponents/bare-consumer.ts";
import type { BarePublisherSettings } from "../opponents/bare-publisher.ts";

export interface BareClientOptions {
  /** Files in `opponents`. */
  readonly publisher: string;
  readonly consumer: string;
  readonly payloadBytes: number;
  readonly outstanding: number;
  readonly batch: number;
  readonly window: number;
  readonly hasTraces?: boolean;
  /** Given: latency at this rate is asked. */
  readonly perSecond?: number;
}

/** What runs beside `broker`, which says where it is reached. */
export function bareClientParts(broker: PartPlan, options: BareClientOptions): readonly PartPlan[] {
  const { payloadBytes, outstanding, batch, window, hasTraces, perSecond = 0 } = options;
  const urlIn = (ready: Readonly<Record<string, string>>): string => ready[broker.name] ?? "";
  const consumer = (ready: Readonly<Record<string, string>>): BareConsumerSettings => ({ url: urlIn(ready), window, isTimed: perSecond > 0 });
  const publisher = (ready: Readonly<Record<string, string>>, { warmupSeconds, seconds }: MeasureOptions): BarePublisherSettings => ({
    url: urlIn(ready),
    payloadBytes,
    outstanding,
    batch,
    ...(hasTraces === undefined ? {} : { hasTraces }),
    perSecond,
    seconds: warmupSeconds + seconds,
  });
  return [
    broker,
    { name: "consumer", part: `opponents/${options.consumer}`, settings: consumer },
    { name: "publisher", part: `opponents/${options.publisher}`, settings: publisher },
  ];
}
