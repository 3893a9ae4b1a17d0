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
  const promises = [...new Set(faultyBackends.map(({ promise }) => promise))];
  describe.concurrent("the kit catches a backend that", () => {
    for (const faulty of faultyBackends) if (!isAlone(faulty.promise)) declareFaulty(faulty, options);
  });
  describe.concurrent("the unbroken twin", () => {
    for (const promise of promises) if (!isAlone(promise)) declareTwin(promise, options);
  });
  // What measures the process must not share it with other tests.
  describe("alone, the kit catches a backend that", () => {
    for (const faulty of faultyBackends) if (isAlone(faulty.promise)) declareFaulty(faulty, options);
  });
  describe("alone, the unbroken twin", () => {
    for (const promise of promises) if (isAlone(promise)) declareTwin(promise, options);
  });
}

const isAlone = (promise: number): boolean => promise === 23;

function declareFaulty(faulty: FaultyBackend, options: KitProofOptions): void {
  it(`breaks promise ${faulty.promise}: ${faulty.name}`, { timeout: testTimeoutMs }, async () => {
    const failures = await failuresOf(subjectOf(options, faulty.wrap), faulty.promise);
    const prefix = `promise ${faulty.promise}: `;
    assert.ok(failures.length > 0, `no case of promise ${faulty.promise} failed`);
    for (const { message } of failures) assert.ok(message.startsWith(prefix), `the failure does not name its promise: ${message}`);
  });
}

function declareTwin(promise: number, options: KitProofOptions): void {
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

function subjectOf(options: KitProofOptions, wrap: (backend: Backend) => Backend): BackendUnderTest {
  return { create: () => wrap(options.create()), hasHostClock: options.hasHostClock === true, secrets: [leakedSecret] };
}

/** Runs the cases of one promise until one fails, all at once unless one of them must be alone. */
async function failuresOf(subject: BackendUnderTest, promise: number): Promise<readonly Error[]> {
  const facts = await learnFacts(subject);
  const cases = conformanceCases.filter((one) => one.promise === promise && isForProof(one, facts));
  assert.ok(cases.length > 0, `there is no case of promise ${promise} for this backend`);
  const failures: Error[] = [];
  // One failure is proof enough: the others need not run into their deadlines.
  const first = new AbortController();
  const run = async (one: ConformanceCase): Promise<void> => {
    await runCase(one, subject, facts, { deadlineMs, signal: first.signal }).catch((error: Error) => {
      if (!first.signal.aborted) failures.push(error);
      first.abort();
    });
  };
  if (isAlone(promise)) for (const one of cases) await run(one);
  else await Promise.all(cases.map(run));
  return failures;
}

/** What must run alone or takes long is left out, but for the promise that nothing else shows. */
function isForProof(one: ConformanceCase, facts: Facts): boolean {
  return one.isSlow !== true && (one.isAlone !== true || isAlone(one.promise)) && exclusionOf(one, facts) === undefined;
}
