import { measureLatency } from "../measure.ts";
import type { Scenario } from "../scenario.ts";
import { embeddedServer, halyardParts } from "./halyard.ts";
import { relayParts } from "./relay.ts";

const payloadBytes = 256;
const perSecond = 1_000;
const concurrency = 16;
/** Not reached at this rate; the relay is only told because it has to be told something. */
const outstanding = 256;

const ownParts = halyardParts("embedded", embeddedServer, { payloadBytes, outstanding, concurrency, perSecond });
const bareParts = relayParts({ payloadBytes, outstanding, codec: "json", perSecond });

/** How long is a message on its way while nothing is busy? */
export const embeddedLatency: Scenario = {
  name: "embedded-latency",
  question: "How long does a message take from process to process at a modest rate?",
  conditions: `three processes on loopback TCP, ${payloadBytes} B of JSON, ${perSecond} messages/s whether or not earlier ones arrived, from the moment a message was meant to leave until its handler runs`,
  contenders: [
    { name: "halyard", title: "embedded(), concurrency 16", measure: (options) => measureLatency(ownParts, perSecond, options) },
    { name: "relay", title: "the bare relay", measure: (options) => measureLatency(bareParts, perSecond, options) },
  ],
  bars: [{ text: "p50 at most twice the relay's", figure: "p50Ms", of: "halyard", over: "relay", atMost: 2 }],
  gate: [],
};
