import { type MeasureOptions, measureAlone } from "../measure.ts";
import type { Contender, Scenario } from "../scenario.ts";

const payloadBytes = 256;
const outstanding = 256;
const concurrency = 16;

function halyard(name: string, title: string, isAsync: boolean): Contender {
  const settings = (_ready: unknown, { warmupSeconds, seconds }: MeasureOptions) => ({
    payloadBytes,
    fidelity: "wire",
    outstanding,
    concurrency,
    isAsync,
    warmupSeconds,
    seconds,
  });
  return { name, title, measure: (options) => measureAlone({ name, part: "halyard/memory", settings }, options) };
}

const emitter: Contender = {
  name: "emitter",
  title: "a bare EventEmitter: nothing awaited, the same JSON by the plainest calls",
  measure: (options) => {
    const settings = (_ready: unknown, { warmupSeconds, seconds }: MeasureOptions) => ({ payloadBytes, codec: "json", warmupSeconds, seconds });
    return measureAlone({ name: "emitter", part: "opponents/emitter", settings }, options);
  },
};

/** How much does the bus cost where nothing but the codec and itself is at work? */
export const memoryJson: Scenario = {
  name: "memory-json",
  question: "What does the bus cost inside one process, with JSON and settlement?",
  conditions: `one process, ${payloadBytes} B of JSON, a group with concurrency ${concurrency}, ${outstanding} publishes outstanding, each awaited, default options`,
  contenders: [
    halyard("halyard", "memory(), every message accepted, handled and acked", false),
    emitter,
    halyard("halyard-async", "the same with an async handler, which costs a promise a message", true),
  ],
  bars: [
    { text: "at least 350,000 messages/s", figure: "perSecond", of: "halyard", atLeast: 350_000 },
    { text: "at least 0.6 of the bare emitter", figure: "perSecond", of: "halyard", over: "emitter", atLeast: 0.6 },
  ],
  gate: [{ text: "at least 0.3 of the bare emitter, by processor time", figure: "perCpuSecond", of: "halyard", over: "emitter", atLeast: 0.3 }],
};
