/** The proof that the kit can fail: each faulty backend must be caught by a case of its promise, while the unbroken twin passes them all. */
import assert from "node:assert/strict";
import type { Backend } from "@halyard/core/spi";
import { describe, it } from "vitest";
import type { ConformanceCase } from "../conformance/case.ts";
import { conformanceCases } from "../conformance/cases/index.ts";
import { exclusionOf, type Facts, learnFacts, runCase } from "../conformance/run-case.ts";
import type { BackendUnderTest } from "../conformance/world.ts";
import { faultyControlling } from "./controlling.ts";
import { faultyDelivering } from "./delivering.ts";
import type { FaultyBackend } from "./faulty-backend.ts";
import { faultyPublishing, leakedSecret } from "./publishing.ts";
import { wrapped } from "./wrap.ts";

/** All of them, by promise. */
export const faultyBackends: readonly FaultyBackend[] = [...faultyPublishing, ...faultyDelivering, ...faultyControlling].sort(
  (left, right) => left.promise - right.promise,
);

/** The same for the faulty backend and its twin, so that only the fault makes the difference. */
const deadlineMs = 6_000;
const testTimeoutMs = 90_000;

export interface KitProofOptions {
  /** Makes a good backend; every call a world of its own. */
  create(): Backend;
  readonly hasHostClock?: boolean;
}

/**
 * Declares the proof as vitest tests: one for each faulty backend, one for each promise with the unbroken twin.
 *
 * @example
 * proveKit({ create: () => memory(), hasHostClock: true });
 */
export function proveKit(options: KitProofOptions): void {
  describe.concurrent("the kit catches a backend that", () => {
    for (const faulty of faultyBackends) {
      it(`breaks promise ${faulty.promise}: ${faulty.name}`, { timeout: testTimeoutMs }, async () => {
        const failures = await failuresOf(subjectOf(options, faulty.wrap), faulty.promise);
        const prefix = `promise ${faulty.promise}: `;
        assert.ok(failures.length > 0, `no case of promise ${faulty.promise} failed`);
        for (const { message } of failures) assert.ok(message.startsWith(prefix), `the failure does not name its promise: ${message}`);
      });
    }
  });
  describe.concurrent("the unbroken twin", () => {
    for (const promise of new Set(faultyBackends.map((faulty) => faulty.promise))) {
      it(`passes promise ${promise}`, { timeout: testTimeoutMs }, async () => {
        const failures = await failuresOf(
          subjectOf(options, (backend) => wrapped(backend, {})),
          promise,
        );
        assert.deepEqual(
          failures.map(({ message }) => message),
          [],
        );
      });
    }
  });
}

function subjectOf(options: KitProofOptions, wrap: (backend: Backend) => Backend): BackendUnderTest {
  return { create: () => wrap(options.create()), hasHostClock: options.hasHostClock === true, secrets: [leakedSecret] };
}

/** Runs all cases of one promise at once. */
async function failuresOf(subject: BackendUnderTest, promise: number): Promise<readonly Error[]> {
  const facts = await learnFacts(subject);
  const cases = conformanceCases.filter((one) => one.promise === promise && isForProof(one, facts));
  assert.ok(cases.length > 0, `there is no case of promise ${promise} for this backend`);
  const results = await Promise.allSettled(cases.map((one) => runCase(one, subject, facts, { deadlineMs })));
  return results.flatMap((result) => (result.status === "rejected" ? [result.reason as Error] : []));
}

/** What must run alone is left out, but for the promise that nothing else shows. */
function isForProof(one: ConformanceCase, facts: Facts): boolean {
  return one.isSlow !== true && (one.isAlone !== true || one.promise === 23) && exclusionOf(one, facts) === undefined;
}
