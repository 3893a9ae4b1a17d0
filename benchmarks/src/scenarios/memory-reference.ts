import { type MeasureOptions, measureAlone } from "../measure.ts";
import type { Scenario } from "../scenario.ts";

const payloadBytes = 256;
const outstanding = 256;
const concurrency = 16;

/** How fast is the bus itself, without a codec? */
export const memoryReference: Scenario = {
  name: "memory-reference",
  question: "How fast is the bus itself, where payloads are handed over by reference?",
  conditions: `one process, objects whose JSON would have ${payloadBytes} B, a group with concurrency ${concurrency}, ${outstanding} publishes outstanding, each awaited, default options`,
  contenders: [
    {
      name: "halyard",
      title: 'memory({ fidelity: "reference" }), every message accepted, handled and acked',
      measure: (options) => {
        const settings = (_ready: unknown, { warmupSeconds, seconds }: MeasureOptions) => ({
          payloadBytes,
          fidelity: "reference",
          outstanding,
          concurrency,
          isAsync: false,
          warmupSeconds,
          seconds,
        });
        return measureAlone({ name: "halyard", part: "halyard/memory", settings }, options);
      },
    },
    {
      name: "emitter",
      title: "a bare EventEmitter: a function call, nothing queued, awaited or acked",
      measure: (options) => {
        const settings = (_ready: unknown, { warmupSeconds, seconds }: MeasureOptions) => ({ payloadBytes, codec: "none", warmupSeconds, seconds });
        return measureAlone({ name: "emitter", part: "opponents/emitter", settings }, options);
      },
    },
  ],
  bars: [{ text: "at least 700,000 messages/s", figure: "perSecond", of: "halyard", atLeast: 700_000 }],
  gate: [{ text: "at least 0.005 of the bare emitter, by processor time", figure: "perCpuSecond", of: "halyard", over: "emitter", atLeast: 0.005 }],
};
