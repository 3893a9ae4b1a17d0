import { measureThroughput } from "../measure.ts";
import type { Contender, Scenario } from "../scenario.ts";
import { bareClientParts } from "./bare-client.ts";
import { type BrokerContest, brokerPlan, contests, missing } from "./brokers.ts";
import { halyardParts } from "./halyard.ts";

const payloadBytes = 256;
const outstanding = 256;
/** As in the embedded scenarios: what is on its way back and forth counts as held. */
const concurrency = 256;

function throughput({ backend, kind, broker, programs, ratio }: BrokerContest): Scenario {
  const plan = brokerPlan(kind);
  const ownParts = halyardParts(backend, plan, { payloadBytes, outstanding, concurrency });
  const bare = programs.map(({ name, title, client }): Contender => {
    const parts = bareClientParts(plan, { ...client, payloadBytes, outstanding });
    return { name, title, measure: (options) => measureThroughput(parts, options) };
  });
  return {
    name: `${backend}-${payloadBytes}`,
    question: `How many messages go through ${broker.split(",")[0]}, and how many with its bare client library?`,
    conditions: `${broker}; broker, consumer and publisher each a process, ${payloadBytes} B of JSON written and read at the ends, ${outstanding} publishes outstanding and confirmed, explicit acks; Halyard with concurrency ${concurrency}, otherwise default options`,
    contenders: [
      { name: "halyard", title: `the backend ${backend}: accepted, handled, acked`, measure: (options) => measureThroughput(ownParts, options) },
      ...bare,
    ],
    bars: [{ text: `at least ${ratio} of ${programs[0].name}`, figure: "perSecond", of: "halyard", over: programs[0].name, atLeast: ratio }],
    gate: [],
    missing: () => missing(kind),
  };
}

/** What do promises cost on a broker that does most of the work itself? */
export const brokerThroughput: readonly Scenario[] = contests.map(throughput);
