/** What an endurance run leaves: a table for people, and the same as JSON. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { BrokerWorld } from "../conformance/broker-faults/broker-world.ts";

export interface EnduranceRow {
  readonly title: string;
  readonly durationMs: number;
  readonly balances: BrokerWorld["balances"];
  /** `reported`: it would have failed, but the broker does not promise that much in this configuration. */
  readonly outcome: "passed" | "failed" | "reported";
  readonly error?: string;
}

const counts = ["attempted", "accepted", "refused", "unknown", "handled", "dead", "duplicates"] as const;

export class EnduranceReport {
  readonly rows: EnduranceRow[] = [];
  readonly #name: string;
  version = "";
  /** Runs that should end up in `rows`. */
  expected = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** Prints the table, and after a whole run writes `endurance/<name>.json` below HALYARD_REPORT_DIR. */
  write(): void {
    console.info(`\nEndurance of ${this.#name}, broker ${this.version}, Node ${process.versions.node}\n${this.#table()}\n`);
    const folder = process.env.HALYARD_REPORT_DIR;
    if (folder === undefined || this.rows.length < this.expected) return;
    mkdirSync(join(folder, "endurance"), { recursive: true });
    const result = { backend: this.#name, brokerVersion: this.version, nodeVersion: process.versions.node, endedAt: new Date().toISOString(), runs: this.rows };
    writeFileSync(join(folder, "endurance", `${this.#name.replaceAll(/[^A-Za-z0-9-]+/g, "-")}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
  }

  #table(): string {
    const head = [...counts, "at most", "lost", "seconds", "outcome", "run"];
    const lines = this.rows.flatMap(({ title, balances, durationMs, outcome }) => {
      const end = [String(Math.round(durationMs / 1_000)), outcome, title];
      if (balances.length === 0) return [[...head.slice(0, -3).map(() => "–"), ...end]];
      return balances.map(({ balance, duplicatesMax }) => [
        ...counts.map((name) => String(balance[name])),
        String(duplicatesMax),
        String(balance.lost.length),
        ...end,
      ]);
    });
    const all = [head, ...lines];
    const widths = head.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0)));
    return all
      .map((line) =>
        line
          .map((cell, column) => (column >= head.length - 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
          .join("  ")
          .trimEnd(),
      )
      .join("\n");
  }
}
