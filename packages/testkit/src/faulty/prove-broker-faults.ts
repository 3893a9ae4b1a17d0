/** The proof that the broker-fault suite can fail: each faulty backend must be caught by a case of its promise. */
import assert from "node:assert/strict";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { Broker } from "../brokers/broker.ts";
import { brokerCases } from "../conformance/broker-faults/cases/index.ts";
import type { BrokerUnderTest } from "../conformance/broker-faults/place.ts";
import { runBrokerCase } from "../conformance/broker-faults/run-broker-case.ts";
import { type Facts, freshNamespace, learnFacts } from "../conformance/run-case.ts";
import type { FaultyBackend } from "./faulty-backend.ts";
import { faultyOnBrokers } from "./on-brokers.ts";

const startMsMax = 120_000;
/** Of one case: what takes longer has failed, so it must be well above what the good backend takes. */
const deadlineMs = 15_000;

/**
 * Declares the proof as vitest tests, on a broker that starts quickly. The unbroken twin is the same backend under `describeBrokerFaults`.
 *
 * @example
 * proveBrokerFaults({ start: () => startRedis({ isOwned: true }), create: ({ broker }) => redisStreams(broker.url), … });
 */
export function proveBrokerFaults<Kind extends Broker>(options: BrokerUnderTest<Kind>): void {
  // As in describeBrokerFaults: each hook gets back the very broker that `start` returned.
  const subject = options as BrokerUnderTest<Kind> & BrokerUnderTest;
  let broker: Kind | undefined;
  let facts: Facts | undefined;
  describe("broker faults catch a backend that", () => {
    beforeAll(async () => {
      broker = await options.start();
      const place = { namespace: freshNamespace(), broker };
      facts = await learnFacts({ create: () => options.create(place) });
    }, startMsMax);
    afterAll(() => broker?.stop());
    for (const faulty of faultyOnBrokers) {
      it(`breaks promise ${faulty.promise}: ${faulty.name}`, { timeout: deadlineMs * 4 }, async () => {
        if (broker === undefined || facts === undefined) throw new Error("the broker could not be connected to");
        const failure = await firstFailure(subject, broker, facts, faulty);
        assert.ok(failure !== undefined, `no case of promise ${faulty.promise} failed`);
        assert.ok(failure.message.startsWith(`promise ${faulty.promise}: `), `the failure does not name its promise: ${failure.message}`);
      });
    }
  });
}

async function firstFailure(subject: BrokerUnderTest, broker: Broker, facts: Facts, faulty: FaultyBackend): Promise<Error | undefined> {
  for (const one of brokerCases) {
    if (one.promise !== faulty.promise || one.needs?.(facts.capabilities, subject) !== undefined) continue;
    try {
      await runBrokerCase(one, subject, broker, { deadlineMs, faulty });
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
  return undefined;
}
