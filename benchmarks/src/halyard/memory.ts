/** Halyard in one process: publishers and a group on the memory backend, everything at its default but the fidelity that is asked. */
import { memory } from "@halyard/backend-memory";
import { createBus } from "@halyard/core";
import { partSettings, playPart } from "../part.ts";
import { payloadFactory } from "../payload.ts";
import { markNow } from "../questions.ts";
import { Receiver } from "../receiver.ts";
import { messagesBetweenTicks, Stopwatch } from "../stopwatch.ts";
import { consume, Publishing, untilAcked } from "./workload.ts";

export interface MemorySettings {
  readonly payloadBytes: number;
  readonly fidelity: "wire" | "reference";
  /** Loops that await publish after publish. */
  readonly outstanding: number;
  readonly concurrency: number;
  readonly isAsync: boolean;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

playPart(async () => {
  const settings = partSettings<MemorySettings>();
  const receiver = new Receiver();
  const bus = await createBus({ backend: memory({ fidelity: settings.fidelity }) });
  const publishing = new Publishing(bus, payloadFactory(settings.payloadBytes));
  const member = await consume(bus, receiver, settings);
  return {
    run: async () => {
      const stopwatch = new Stopwatch(settings);
      await publishing.run(settings.outstanding, (published) => {
        if (published % messagesBetweenTicks > 0) return;
        stopwatch.tick(published, receiver.handled);
        if (stopwatch.isOver) publishing.stop();
      });
      await untilAcked(bus, member);
      return { ...stopwatch.window, published: publishing.published, ledger: receiver.totals() };
    },
    mark: () => markNow(publishing.published, receiver.handled),
    end: async () => {
      await bus.close();
      return markNow(publishing.published, receiver.handled);
    },
  };
});
