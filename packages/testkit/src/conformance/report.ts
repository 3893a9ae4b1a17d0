/**
 * What held, as files that the README's guarantee table is generated from: each suite of a backend writes its part. The table puts the parts of one backend
 * together, so that a case which one part cannot ask counts where another one asked it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Capabilities } from "@halyard/core/spi";
import type { ConformanceCase } from "./case.ts";

/** Which suite it was: on the backend as it is, under the fault matrix, or with a broker that is killed. */
export type ReportPart = "direct" | "faults" | "broker-faults";

/** What was left out, and why. */
export interface Exclusion {
  readonly title: string;
  readonly reason: string;
  /** The title of the case that asks the same in real time. */
  readonly twin?: string;
  /** The backend ends with its process, and the case asks what outlives that. */
  readonly endsWithProcess?: true;
}

export interface PromiseResult {
  /** Titles of the cases that passed, each once. */
  readonly passed: Set<string>;
  /** Titles of those among them that asked for a refusal. */
  readonly refused: Set<string>;
  failed: number;
  readonly excluded: Exclusion[];
  /** Faults under which cases passed. */
  readonly faults: Set<string>;
  /** SIGKILLs that the cases which passed gave to a broker or a consumer. What a message kills by itself is not counted: it varies. */
  kills: number;
}

/** Sums over all ledgers of a part. */
export interface LedgerTotals {
  readonly accepted: number;
  readonly handled: number;
  readonly dead: number;
  readonly duplicates: number;
  readonly duplicatesMax: number;
  readonly lost: number;
}

export interface ReportOptions {
  /** The column of the table, e.g. `nats`. */
  readonly backend: string;
  readonly part: ReportPart;
  /** Other options of the same backend, e.g. `with history`. */
  readonly variant?: string | undefined;
}

export class Report {
  readonly #options: ReportOptions;
  readonly #promises = new Map<number, PromiseResult>();

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  of(promise: number): PromiseResult {
    let result = this.#promises.get(promise);
    if (result === undefined) {
      result = { passed: new Set(), refused: new Set(), failed: 0, excluded: [], faults: new Set(), kills: 0 };
      this.#promises.set(promise, result);
    }
    return result;
  }

  pass({ promise, title, asksRefusal }: Pick<ConformanceCase, "promise" | "title" | "asksRefusal">, fault?: string): void {
    const result = this.of(promise);
    (asksRefusal === true ? result.refused : result.passed).add(title);
    if (fault !== undefined) result.faults.add(fault);
  }

  exclude(
    one: Pick<ConformanceCase, "promise" | "title" | "asksRefusal" | "absence" | "twin">,
    reason: string,
    { durable }: Pick<Capabilities, "durable">,
  ): void {
    const absence = one.absence ?? (one.asksRefusal === true ? "moot" : "gap");
    if (absence === "moot" || (absence === "moot-unless-durable" && !durable)) return;
    this.of(one.promise).excluded.push({
      title: one.title,
      reason,
      ...(one.twin === undefined ? {} : { twin: one.twin }),
      ...(absence === "ends-with-process" && !durable ? { endsWithProcess: true } : {}),
    });
  }

  /** Writes `guarantees/<backend>.<variant>.<part>.json` below `folder`. */
  write(folder: string, { durable }: Pick<Capabilities, "durable">, ledger?: LedgerTotals): void {
    const { backend, part, variant } = this.#options;
    const promises = [...this.#promises]
      .sort(([left], [right]) => left - right)
      .map(([promise, { passed, refused, faults, ...rest }]) => ({
        promise,
        passed: [...passed],
        refused: [...refused],
        faults: [...faults],
        ...rest,
      }));
    mkdirSync(join(folder, "guarantees"), { recursive: true });
    const file = `${[backend, ...(variant === undefined ? [] : [variant]), part].map((name) => name.replaceAll(/[^A-Za-z0-9-]+/g, "-")).join(".")}.json`;
    writeFileSync(join(folder, "guarantees", file), `${JSON.stringify({ backend, variant, part, durable, promises, ledger }, undefined, 2)}\n`);
  }
}
