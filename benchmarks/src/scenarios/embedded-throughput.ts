import { measureThroughput } from "../measure.ts";
import type { Contender, Scenario } from "../scenario.ts";
import { embeddedServer, type HalyardOptions, halyardParts } from "./halyard.ts";
import { type RelayOptions, relayParts } from "./relay.ts";

const outstanding = 256;
/**
 * A consumer that is a process away needs more in hand than one in the same process: what is on its way back and forth counts as held. The option
 * is what a user would raise as well; everything else is at its default.
 */
const concurrency = 256;
/** The larger window that shows what the relay loses to 256. */
const outstandingLarge = 2_048;

function halyard(name: string, title: string, options: HalyardOptions): Contender {
  const parts = halyardParts("embedded", embeddedServer, options);
  return { name, title, measure: (measureOptions) => measureThroughput(parts, measureOptions) };
}

function relay(name: string, title: string, options: RelayOptions): Contender {
  const parts = relayParts(options);
  return { name, title, measure: (measureOptions) => measureThroughput(parts, measureOptions) };
}

function conditions(payloadBytes: number): string {
  return `three processes on loopback TCP (publisher, server, consumer), ${payloadBytes} B of JSON written and read at the ends, at least once with acks, ${outstanding} publishes outstanding, each awaited, concurrency ${concurrency}, otherwise default options`;
}

/** What do whole messages (ids, headers, retries, dead letters) cost against bytes that are merely handed on? */
export const embeddedThroughput: Scenario = {
  name: "embedded-256",
  question: "How many messages go from process to process, and how many through a bare relay?",
  conditions: conditions(256),
  contenders: [
    halyard("halyard", "embedded(): accepted, handled, acked", { payloadBytes: 256, outstanding, concurrency }),
    halyard("halyard-16", "the same with concurrency 16", { payloadBytes: 256, outstanding, concurrency: 16 }),
    relay("relay", "bare length-prefixed relay: queue per subscriber, batched writes and acks", { payloadBytes: 256, outstanding, codec: "json" }),
    relay("relay-bytes", "the relay without JSON at the ends", { payloadBytes: 256, outstanding, codec: "none" }),
    relay(`relay-${outstandingLarge}`, `the relay with ${outstandingLarge} publishes outstanding`, {
      payloadBytes: 256,
      outstanding: outstandingLarge,
      codec: "json",
    }),
  ],
  bars: [
    { text: "at least 250,000 messages/s", figure: "perSecond", of: "halyard", atLeast: 250_000 },
    { text: "at least 0.45 of the relay", figure: "perSecond", of: "halyard", over: "relay", atLeast: 0.45 },
  ],
  gate: [],
};

/** The same with four times the bytes. */
export const embeddedLarger: Scenario = {
  name: "embedded-1024",
  question: "How does that change with 1 KiB?",
  conditions: conditions(1_024),
  contenders: [
    halyard("halyard", "embedded(): accepted, handled, acked", { payloadBytes: 1_024, outstanding, concurrency }),
    relay("relay", "bare length-prefixed relay: queue per subscriber, batched writes and acks", { payloadBytes: 1_024, outstanding, codec: "json" }),
  ],
  bars: [],
  gate: [],
};
