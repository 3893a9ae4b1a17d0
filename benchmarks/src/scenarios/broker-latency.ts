import { measureLatency } from "../measure.ts";
import type { Contender, Scenario } from "../scenario.ts";
import { bareClientParts } from "./bare-client.ts";
import { type BrokerContest, brokerPlan, contests, missing } from "./brokers.ts";
import { halyardParts } from "./halyard.ts";

const payloadBytes = 256;
const perSecond = 1_000;
const concurrency = 16;
/** Not reached at this rate. */
const outstanding = 256;
/** At most so many times what the bare client takes. */
const ratio = 1.3;

function latency({ backend, kind, broker, programs: [program] }: BrokerContest): Scenario {
  const plan = brokerPlan(kind);
  const ownParts = halyardParts(backend, plan, { payloadBytes, outstanding, concurrency, perSecond });
  const bareParts = bareClientParts(plan, { ...program.client, payloadBytes, outstanding, perSecond });
  const bare: Contender = { name: program.name, title: program.title, measure: (options) => measureLatency(bareParts, perSecond, options) };
  return {
    name: `${backend}-latency`,
    question: `How long does a message take through ${broker.split(",")[0]} at a modest rate?`,
    conditions: `${broker}; broker, consumer and publisher each a process, ${payloadBytes} B of JSON, ${perSecond} messages/s whether or not earlier ones arrived, from the moment a message was meant to leave until its handler runs`,
    contenders: [
      { name: "halyard", title: `the backend ${backend}, concurrency ${concurrency}`, measure: (options) => measureLatency(ownParts, perSecond, options) },
      bare,
    ],
    bars: [{ text: `p50 at most ${ratio} times that of ${program.name}`, figure: "p50Ms", of: "halyard", over: program.name, atMost: ratio }],
    gate: [],
    missing: () => missing(kind),
  };
}

/** How much longer is a message on its way while nothing is busy? */
export const brokerLatency: readonly Scenario[] = contests.map(latency);
