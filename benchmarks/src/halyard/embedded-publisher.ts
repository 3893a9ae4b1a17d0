/** Publishes through the embedded server: loops that each await one publish after another, or one publish at a time at a fixed rate. */
import { embedded } from "@halyard/backend-embedded";
import { createBus } from "@halyard/core";
import { paced } from "../pace.ts";
import { partSettings, playPart } from "../part.ts";
import { payloadFactory } from "../payload.ts";
import { markNow } from "../questions.ts";
import { Publishing } from "./workload.ts";

export interface EmbeddedPublisherSettings {
  readonly port: number;
  readonly payloadBytes: number;
  /** Loops that await publish after publish. */
  readonly outstanding: number;
  /** Only for `pace`. */
  readonly perSecond: number;
  readonly seconds: number;
}

playPart(async () => {
  const settings = partSettings<EmbeddedPublisherSettings>();
  const bus = await createBus({ backend: embedded({ port: settings.port, autoStart: false }) });
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
