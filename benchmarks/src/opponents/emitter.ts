/**
 * The bare `EventEmitter`: no promise, no id, no queue, nothing awaited; with `json` each message is written to bytes and read back by the plainest
 * calls there are. Now and then it lets the event loop turn, which costs it nothing that could be measured.
 */
import { EventEmitter } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { partSettings, playPart } from "../part.ts";
import { type Payload, payloadFactory } from "../payload.ts";
import { markNow } from "../questions.ts";
import { Receiver } from "../receiver.ts";
import { messagesBetweenTicks, Stopwatch } from "../stopwatch.ts";

export interface EmitterSettings {
  readonly payloadBytes: number;
  readonly codec: "json" | "none";
  readonly warmupSeconds: number;
  readonly seconds: number;
}

const topic = "task.submitted.normal";
const batchesBetweenTurns = 8;

playPart(() => {
  const settings = partSettings<EmitterSettings>();
  const payload = payloadFactory(settings.payloadBytes);
  const receiver = new Receiver();
  const emitter = new EventEmitter();
  let published = 0;
  let publish: () => void;
  if (settings.codec === "json") {
    // What `publish` below wrote.
    emitter.on(topic, (bytes: Buffer) => receiver.handle((JSON.parse(bytes.toString()) as Payload).n));
    publish = () => void emitter.emit(topic, Buffer.from(JSON.stringify(payload(published))));
  } else {
    emitter.on(topic, (value: Payload) => receiver.handle(value.n));
    publish = () => void emitter.emit(topic, payload(published));
  }
  return {
    run: async () => {
      const stopwatch = new Stopwatch(settings);
      while (!stopwatch.isOver) {
        for (let batch = 0; batch < batchesBetweenTurns; batch++) {
          for (let index = 0; index < messagesBetweenTicks; index++) {
            publish();
            published++;
          }
          stopwatch.tick(published, receiver.handled);
        }
        await nextTurn();
      }
      return { ...stopwatch.window, published, ledger: receiver.totals() };
    },
    mark: () => markNow(published, receiver.handled),
    end: () => markNow(published, receiver.handled),
  };
});
