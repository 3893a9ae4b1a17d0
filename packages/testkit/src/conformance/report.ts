/** What held, as a file that the README's guarantee table is generated from. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Capabilities } from "@halyard/core/spi";
import type { ConformanceCase } from "./case.ts";

export interface PromiseResult {
  passed: number;
  failed: number;
  /** Cases that this backend was not asked, and why. */
  readonly excluded: { readonly title: string; readonly reason: string }[];
}

export class Report {
  readonly #name: string;
  readonly #promises = new Map<number, PromiseResult>();

  constructor(name: string) {
    this.#name = name;
  }

  of(promise: number): PromiseResult {
    let result = this.#promises.get(promise);
    if (result === undefined) {
      result = { passed: 0, failed: 0, excluded: [] };
      this.#promises.set(promise, result);
    }
    return result;
  }

  exclude(one: ConformanceCase, reason: string): void {
    if (one.asksRefusal !== true) this.of(one.promise).excluded.push({ title: one.title, reason });
  }

  /** Writes `guarantees/<name>.json` below `folder`. */
  write(folder: string, capabilities: Capabilities, excuses: Readonly<Record<number, string>>): void {
    const promises = [...this.#promises].sort(([left], [right]) => left - right).map(([promise, result]) => ({ promise, ...result, excuse: excuses[promise] }));
    mkdirSync(join(folder, "guarantees"), { recursive: true });
    const file = `${this.#name.replaceAll(/[^A-Za-z0-9-]+/g, "-")}.json`;
    writeFileSync(join(folder, "guarantees", file), `${JSON.stringify({ backend: this.#name, capabilities, promises }, undefined, 2)}\n`);
  }
}
