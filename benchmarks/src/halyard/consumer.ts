/** A member of the group over any networked backend. */
import { createBus } from "@halyard/core";
import { partSettings, playPart } from "../part.ts";
import { markNow } from "../questions.ts";
import { Receiver } from "../receiver.ts";
import { backendAt, type Place } from "./place.ts";
import { consume, untilAcked } from "./workload.ts";

export interface ConsumerSettings {
  readonly place: Place;
  readonly concurrency: number;
  /** Default: the bus's own. */
  readonly inFlightMax?: number;
  /** Whether to note when each message came. */
  readonly isTimed: boolean;
}

playPart(async () => {
  const settings = partSettings<ConsumerSettings>();
  const receiver = new Receiver(settings.isTimed);
  const bus = await createBus({ backend: backendAt(settings.place) });
  const member = await consume(bus, receiver, settings);
  return {
    mark: () => markNow(0, receiver.handled),
    finish: async () => {
      await untilAcked(bus, member);
      return receiver.totals();
    },
    arrivals: () => receiver.arrivalsMs,
    end: async () => {
      await bus.close();
      return markNow(0, receiver.handled);
    },
  };
});
