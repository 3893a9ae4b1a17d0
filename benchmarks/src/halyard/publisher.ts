/** Publishes over any networked backend: loops that each await one publish after another, or one publish at a time at a fixed rate. */
import { createBus } from "@halyard/core";
import { paced } from "../pace.ts";
import { partSettings, playPart } from "../part.ts";
import { payloadFactory } from "../payload.ts";
import { markNow } from "../questions.ts";
import { backendAt, type Place } from "./place.ts";
import { Publishing } from "./workload.ts";

export interface PublisherSettings {
  readonly place: Place;
  readonly payloadBytes: number;
  /** Loops that await publish after publish. */
  readonly outstanding: number;
  /** Only for `pace`. */
  readonly perSecond: number;
  readonly seconds: number;
}

playPart(async () => {
  const settings = partSettings<PublisherSettings>();
  const bus = await createBus({ backend: backendAt(settings.place) });
  const publishing = new Publishing(bus, payloadFactory(settings.payloadBytes));
  const mark = () => markNow(publishing.published, 0);
  let loops: Promise<void> = Promise.resolve();
  return {
    mark,
    go: () => {
      loops = publishing.run(settings.outstanding);
      // Whoever asks to stop hears of a failure; until then it must not count as unhandled.
      loops.catch(() => undefined);
      return mark();
    },
    stop: async () => {
      publishing.stop();
      await loops;
      return mark();
    },
    pace: async () => {
      const open: Promise<void>[] = [];
      const result = await paced({ perSecond: settings.perSecond, seconds: settings.seconds }, () => open.push(publishing.one()));
      await Promise.all(open);
      return result;
    },
    end: async () => {
      await bus.close();
      return mark();
    },
  };
});
