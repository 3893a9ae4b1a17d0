/** Result files: what was measured, when and on which machine. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ScenarioResult } from "./harness.ts";
import { type Machine, machineSlug } from "./machine.ts";

/** A scenario that was asked for and could not be run here. */
export interface Skipped {
  readonly name: string;
  /** With what to do about it. */
  readonly reason: string;
}

export interface Results {
  /** UTC. */
  readonly date: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
  readonly scenarios: readonly ScenarioResult[];
  readonly skipped: readonly Skipped[];
}

/** Writes `results/<date>-<machine>.json`, over the file of an earlier run of the same day and machine. Returns its path. */
export function writeResults(results: Results): string {
  const folder = fileURLToPath(new URL("../results", import.meta.url));
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${results.date.slice(0, 10)}-${machineSlug(results.machine)}.json`);
  writeFileSync(path, resultsText(results));
  return path;
}

/** JSON with lists of numbers on one line, as the formatter of the repository has it; six digits are more than the spread allows. */
export function resultsText(results: Results): string {
  const rounded = (_key: string, value: unknown): unknown => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value);
  const text = JSON.stringify(results, rounded, 2);
  return `${text.replace(/\[\s+((?:-?[\d.e+-]+,?\s+)+)\]/g, (_whole, numbers: string) => `[${numbers.trim().replace(/\s+/g, " ")}]`)}\n`;
}
