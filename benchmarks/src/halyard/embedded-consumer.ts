/** A member of the group on the embedded server. */
import { embedded } from "@halyard/backend-embedded";
import { createBus } from "@halyard/core";
import { partSettings, playPart } from "../part.ts";
import { markNow } from "../questions.ts";
import { Receiver } from "../receiver.ts";
import { consume, untilAcked } from "./workload.ts";

export interface EmbeddedConsumerSettings {
  readonly port: number;
  readonly concurrency: number;
  /** Default: the bus's own. */
  readonly inFlightMax?: number;
  /** Whether to note when each message came. */
  readonly isTimed: boolean;
}

playPart(async () => {
  const settings = partSettings<EmbeddedConsumerSettings>();
  const receiver = new Receiver(settings.isTimed);
  const bus = await createBus({ backend: embedded({ port: settings.port, autoStart: false }) });
  await consume(bus, receiver, settings);
  return {
    mark: () => markNow(0, receiver.handled),
    finish: async () => {
      await untilAcked(bus);
      return receiver.totals();
    },
    arrivals: () => receiver.arrivalsMs,
    end: async () => {
      await bus.close();
      return markNow(0, receiver.handled);
    },
  };
});
