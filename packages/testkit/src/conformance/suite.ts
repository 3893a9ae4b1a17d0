/** The conformance suite as vitest runs it. */
import assert from "node:assert/strict";
import { afterAll, beforeAll, describe, it, type TestContext } from "vitest";
import { type ConformanceCase, inexcusablePromises, titleOf } from "./case.ts";
import { conformanceCases } from "./cases/index.ts";
import { type Fault, faultDefault, faults } from "./faults.ts";
import { Report, type ReportPart } from "./report.ts";
import { caseDeadlineMs, exclusionOf, type Facts, learnFacts, runCase } from "./run-case.ts";
import type { BackendUnderTest } from "./world.ts";

export interface BackendSuiteOptions extends BackendUnderTest {
  /** Before the first case, e.g. starting a broker. */
  setup?(): Promise<void>;
  teardown?(): Promise<void>;
  /** Promises that this backend does not give, each with the reason that the guarantee table shows. Never 1, 3, 5–9, 11, 15–20, 22–24. */
  readonly excuses?: Readonly<Record<number, string>>;
  /**
   * What sets this run apart from the one on the backend as most use it, e.g. `with history`. It is then part of the titles, and a note below the guarantee
   * table: it fills no gap of the backend itself.
   */
  readonly variant?: string;
  /** Only these promises, while working on them, or because they are all that a variant changes. Without `variant` the run writes no report. */
  readonly only?: readonly number[];
  /** Why this suite cannot run here (no broker installed). Loud; in CI it is an error. */
  readonly skip?: string | undefined;
}

/** Time for cleaning up after a case that used its whole deadline. */
const cleanupMs = 15_000;

/**
 * Asks a backend for every promise that its capabilities claim. Call it in a vitest file.
 *
 * @example
 * describeBackend("memory", { create: () => memory(), hasHostClock: true });
 *
 * @throws Error where an excuse covers a promise that no backend is excused from, and for `skip` in CI
 */
export function describeBackend(name: string, options: BackendSuiteOptions): void {
  assertExcuses(options.excuses ?? {});
  if (isSkipped(name, options)) return;
  const suite = new Suite(name, options, "direct");
  const cases = conformanceCases.filter(({ promise }) => options.only?.includes(promise) ?? true);
  describe(`${suite.name}: conformance`, () => {
    suite.hooks();
    describe.concurrent("together", () => {
      for (const one of cases) if (one.isAlone !== true) suite.declare(one, titleOf(one));
    });
    describe("alone", () => {
      for (const one of cases) if (one.isAlone === true) suite.declare(one, titleOf(one));
      it("promise 23: nothing was rejected without a handler", () => suite.assertNoUnhandled());
      if (options.only === undefined) it("no promise that binds every backend was left out", () => suite.assertComplete());
    });
  });
}

/**
 * Runs every case of kind `fault` again under every fault: cut, reset and refusal, lost reply, stall, and with a `target` also half-open,
 * latency and slicer. With a `target` it also runs, alone and once, what is about connections: a hundred that are cut leave nothing behind, a closed bus opens none. Call it in a vitest file of its own, so that it runs beside the suite.
 */
export function describeFaults(name: string, options: BackendSuiteOptions): void {
  if (isSkipped(name, options)) return;
  const suite = new Suite(name, options, "faults");
  const isWanted = ({ promise }: ConformanceCase): boolean => options.only?.includes(promise) ?? true;
  describe(`${suite.name}: faults`, () => {
    suite.hooks();
    describe.concurrent("together", () => {
      for (const fault of faults) {
        if (fault.needsWire && options.target === undefined) continue;
        for (const one of conformanceCases) {
          if (one.kind !== "fault" || one.isAlone === true) continue;
          if (isWanted(one)) suite.declare(one, `${titleOf(one)} [${fault.name}]`, fault);
        }
      }
    });
    describe("alone", () => {
      for (const one of conformanceCases)
        if (options.target !== undefined && isAboutConnections(one) && isWanted(one)) suite.declare(one, titleOf(one), faultDefault);
      it("promise 23: nothing was rejected without a handler", () => suite.assertNoUnhandled());
    });
  });
}

/** What can only be seen where there is a wire. Cases that measure the process cannot share it, so they do not go through the matrix. */
const isAboutConnections = ({ kind, isAlone, isOnWire }: ConformanceCase): boolean => isOnWire === true || (kind === "fault" && isAlone === true);

class Suite {
  readonly name: string;
  readonly #options: BackendSuiteOptions;
  readonly #report: Report;
  readonly #unhandled: unknown[] = [];
  readonly #onUnhandled = (reason: unknown): void => void this.#unhandled.push(reason);
  #facts: Facts | undefined;

  constructor(backend: string, options: BackendSuiteOptions, part: ReportPart) {
    const { variant } = options;
    this.name = variant === undefined ? backend : `${backend} ${variant}`;
    this.#options = options;
    this.#report = new Report({ backend, part, variant });
  }

  hooks(): void {
    beforeAll(async () => {
      process.on("unhandledRejection", this.#onUnhandled);
      await this.#options.setup?.();
      this.#facts = await learnFacts(this.#options);
    });
    afterAll(async () => {
      process.off("unhandledRejection", this.#onUnhandled);
      await this.#options.teardown?.();
      const { only, variant } = this.#options;
      const folder = process.env.HALYARD_REPORT_DIR;
      if (folder !== undefined && this.#facts !== undefined && (only === undefined || variant !== undefined)) {
        this.#report.write(folder, this.#facts.capabilities);
      }
    });
  }

  declare(one: ConformanceCase, title: string, fault?: Fault): void {
    it(title, { timeout: caseDeadlineMs + cleanupMs }, (context) => this.#run(one, context, fault));
  }

  assertNoUnhandled(): void {
    assert.deepEqual(this.#unhandled, [], "promise 23: a promise was rejected and nobody handled it");
  }

  assertComplete(): void {
    for (const promise of inexcusablePromises) {
      const { passed, failed, excluded } = this.#report.of(promise);
      assert.ok(passed.size + failed > 0, `promise ${promise}: no case ran; excluded: ${JSON.stringify(excluded)}`);
    }
  }

  async #run(one: ConformanceCase, context: TestContext, fault: Fault | undefined): Promise<void> {
    if (this.#facts === undefined) throw new Error("the backend could not be connected to");
    const reason = this.#options.excuses?.[one.promise] ?? exclusionOf(one, this.#facts);
    if (reason !== undefined) {
      this.#report.exclude(one, reason, this.#facts.capabilities);
      context.skip(reason);
    }
    try {
      await runCase(one, this.#options, this.#facts, fault === undefined ? {} : { fault });
      this.#report.pass(one, fault?.name);
    } catch (error) {
      this.#report.of(one.promise).failed++;
      throw error;
    }
  }
}

function assertExcuses(excuses: Readonly<Record<number, string>>): void {
  const forbidden = Object.keys(excuses)
    .map(Number)
    .filter((promise) => inexcusablePromises.includes(promise));
  if (forbidden.length > 0) throw new Error(`No backend is excused from promise ${forbidden.join(", ")}.`);
}

function isSkipped(name: string, { skip }: BackendSuiteOptions): boolean {
  if (skip === undefined) return false;
  if (process.env.CI) throw new Error(`The conformance of ${name} cannot be skipped in CI: ${skip}`);
  console.warn(`\n!!! CONFORMANCE OF ${name.toUpperCase()} IS SKIPPED: ${skip}\n`);
  describe.skip(`${name}: conformance (${skip})`, () => it("is skipped", () => undefined));
  return true;
}
