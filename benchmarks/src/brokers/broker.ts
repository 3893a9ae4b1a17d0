/** A real broker on temporary data, in the hands of a process of its own: started fresh for one run, gone with it. */
import { readFileSync } from "node:fs";
import { type Broker, type BrokerKind, startNats, startRabbitmq, startRedis } from "@halyard/testkit/brokers";
import { partSettings, playPart } from "../part.ts";
import { type Mark, markNow } from "../questions.ts";

export interface BrokerSettings {
  readonly kind: BrokerKind;
}

/** Of Linux: what `/proc` counts processor time in. */
const ticksPerSecond = 100;

const starts: Readonly<Record<BrokerKind, () => Promise<Broker>>> = {
  // Confirmed publishes reach the disk within a second, as most who use Redis for messages have it; one sync a write would measure the disk.
  redis: () => startRedis({ isOwned: true, appendonly: "yes", appendfsync: "everysec" }),
  nats: () => startNats({ isOwned: true }),
  rabbitmq: () => startRabbitmq({ isOwned: true }),
};

playPart(async () => {
  const broker = await starts[partSettings<BrokerSettings>().kind]();
  const mark = (): Mark => ({ ...markNow(0, 0), cpuMs: processorMs(broker.pid) });
  return {
    ready: broker.url,
    mark,
    end: async () => {
      const last = mark();
      await broker.stop();
      return last;
    },
  };
});

/** Processor time of another process, user and system; 0 where the system does not say. */
function processorMs(pid: number): number {
  try {
    // The name of the program stands in brackets and may contain anything; fields are counted from behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond;
  } catch {
    return 0; // no Linux: the column then says 0
  }
}
