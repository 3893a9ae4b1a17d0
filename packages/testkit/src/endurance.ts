/** The endurance run of one backend: what `describeBrokerFaults` asks, longer and harder, and clusters. Minutes, not seconds; never part of a usual test run. */
import { afterAll, beforeAll, describe, it } from "vitest";
import type { Broker } from "./brokers/broker.ts";
import { externalBroker } from "./brokers/external-broker.ts";
import type { BrokerCase } from "./conformance/broker-faults/broker-case.ts";
import type { BrokerUnderTest } from "./conformance/broker-faults/place.ts";
import { runBrokerCase } from "./conformance/broker-faults/run-broker-case.ts";
import { freshNamespace, learnFacts } from "./conformance/run-case.ts";
import { type ClusterUnderTest, failoverCase, type RunningCluster } from "./endurance/cluster-case.ts";
import { enduranceCases, killCase } from "./endurance/endurance-cases.ts";
import { EnduranceReport } from "./endurance/endurance-report.ts";
import { pressureCases } from "./endurance/pressure-cases.ts";

export interface EnduranceOptions<Kind extends Broker = Broker> extends BrokerUnderTest<Kind> {
  /** The same broker, less safe: its kills are run too, and what is lost by them is reported and fails nothing. */
  readonly alsoReported?: { readonly name: string; start(): Promise<Kind> };
  readonly clusters?: readonly ClusterUnderTest[];
}

const startMsMax = 180_000;
const caseMsMax = 900_000;
const cleanupMs = 60_000;

/**
 * 20 kills under load, 100 lost replies, retries delayed by 30 s, a poison message, memory under a fast producer, a standstill, 50 orderly ends, and three
 * failovers of each cluster. Prints the ledgers, and writes
 * them to `endurance/<name>.json` below HALYARD_REPORT_DIR.
 *
 * @example
 * describeEndurance("nats", { start: () => startNats({ isOwned: true }), create: ({ broker }) => nats(broker.url), processes });
 */
export function describeEndurance<Kind extends Broker>(name: string, options: EnduranceOptions<Kind>): void {
  const report = new EnduranceReport(name);
  // As in describeBrokerFaults: each hook gets back the very broker that `start` returned.
  const subject = options as EnduranceOptions<Kind> & BrokerUnderTest;
  describe(`${name}: endurance`, () => {
    afterAll(() => report.write());
    onBroker({ subject, report, name: "one broker", start: options.start, cases: [...enduranceCases, ...pressureCases], isRequired: true });
    const { alsoReported } = options;
    if (alsoReported !== undefined) onBroker({ subject, report, ...alsoReported, cases: [killCase], isRequired: false });
    for (const cluster of options.clusters ?? []) onCluster(cluster, report, subject.settleMs ?? 0);
  });
}

interface OnBroker {
  readonly subject: BrokerUnderTest;
  readonly report: EnduranceReport;
  readonly name: string;
  readonly start: () => Promise<Broker>;
  readonly cases: readonly BrokerCase[];
  readonly isRequired: boolean;
}

function onBroker({ subject, report, name, start, cases, isRequired }: OnBroker): void {
  describe(name, () => {
    let broker: Broker | undefined;
    beforeAll(async () => {
      broker = await start();
      if (isRequired) report.version = broker.version;
    }, startMsMax);
    afterAll(() => broker?.stop(), cleanupMs);
    for (const one of cases) {
      report.expected++;
      const title = isRequired ? one.title : `${one.title} (${name})`;
      it(`promise ${one.promise}: ${one.title}`, { timeout: caseMsMax + cleanupMs }, async (context) => {
        if (broker === undefined) throw new Error("the broker could not be started");
        const place = { namespace: freshNamespace(), broker };
        const facts = await learnFacts({ create: () => subject.create(place) });
        const reason = one.needs?.(facts.capabilities, subject);
        if (reason !== undefined) {
          report.expected--;
          context.skip(reason);
        }
        await recorded({ report, title, isRequired }, (onEnd) => runBrokerCase(one, subject, place.broker, { deadlineMs: caseMsMax, onEnd }));
      });
    }
  });
}

function onCluster(cluster: ClusterUnderTest, report: EnduranceReport, settleMs: number): void {
  describe(cluster.name, () => {
    let running: RunningCluster | undefined;
    const current = (): RunningCluster => {
      if (running === undefined) throw new Error("the cluster could not be started");
      return running;
    };
    beforeAll(async () => {
      running = await cluster.start();
      report.version ||= running.version;
    }, startMsMax);
    afterAll(() => running?.stop(), cleanupMs);
    const one = failoverCase(cluster.name, current);
    report.expected++;
    it(`promise ${one.promise}: ${one.title}`, { timeout: caseMsMax + cleanupMs }, async () => {
      // The cluster kills and starts its own nodes; to the case it is a broker that is not its to kill.
      const broker = externalBroker("redis", "cluster://127.0.0.1");
      const subject: BrokerUnderTest = { start: async () => broker, create: ({ namespace }) => current().create(namespace), settleMs };
      await recorded({ report, title: one.title, isRequired: cluster.reportedBecause === undefined }, (onEnd) =>
        runBrokerCase(one, subject, broker, { deadlineMs: caseMsMax, onEnd }),
      );
    });
  });
}

interface Recorded {
  readonly report: EnduranceReport;
  readonly title: string;
  readonly isRequired: boolean;
}

type OnEnd = NonNullable<NonNullable<Parameters<typeof runBrokerCase>[3]>["onEnd"]>;

async function recorded({ report, title, isRequired }: Recorded, run: (onEnd: OnEnd) => Promise<void>): Promise<void> {
  const startMs = performance.now();
  let balances: Parameters<OnEnd>[0] = [];
  let failure: unknown;
  try {
    await run((closed) => {
      balances = closed;
    });
  } catch (error) {
    failure = error;
  }
  const durationMs = Math.round(performance.now() - startMs);
  if (failure === undefined) report.rows.push({ title, durationMs, balances, outcome: "passed" });
  else report.rows.push({ title, durationMs, balances, outcome: isRequired ? "failed" : "reported", error: String(failure) });
  if (failure !== undefined && isRequired) throw failure;
}
