/**
 * How to know that all work is done: the broker is asked, not anybody's memory. Where a broker does not say what its members have in hand or what is delayed
 * (RabbitMQ counts what waits, and no more), what the members wrote down says it: whatever was accepted must be handled or a dead letter.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { balance } from "./balance.ts";
import { readLedger } from "./ledger.ts";
import { type GroupName, groups, type TeamBus } from "./topics.ts";

/** Ledgers grow to megabytes, so they are not read at every look. */
const readEveryMs = 200;
/** Nothing waits and nobody has written a line for so long: what is open then is lost, and the books shall say so. */
const standstillMs = 15_000;

export interface QuietWatchOptions {
  readonly bus: TeamBus;
  /** Where the ledgers lie. */
  readonly folder: string;
  /** Ids by group, as the broker has them. */
  readonly deadIds: () => Promise<Readonly<Record<string, readonly string[]>>>;
}

export class QuietWatch {
  readonly #options: QuietWatchOptions;
  #readMs = 0;
  #movedMs = 0;
  #lines = 0;

  constructor(options: QuietWatchOptions) {
    this.#options = options;
  }

  /**
   * Whether no message waits, is delayed or is being handled, in any group. A handler publishes its results before its own message is done, and the groups
   * are asked in the order in which work goes through them, so no work is missed on its way from one to the next.
   */
  async isQuiet(): Promise<boolean> {
    let isAllSaid = true;
    for (const name of Object.keys(groups) as GroupName[]) {
      const info = await this.#options.bus.groups.get(name);
      const numbers = [info?.waiting, info?.delayed, info?.inFlight];
      if (numbers.some((number) => number !== undefined && number > 0)) return false;
      isAllSaid &&= !numbers.includes(undefined);
    }
    return isAllSaid || this.#isBalanced();
  }

  async #isBalanced(): Promise<boolean> {
    const nowMs = performance.now();
    if (nowMs - this.#readMs < readEveryMs) return false;
    this.#readMs = nowMs;
    const deadIds = await this.#options.deadIds();
    const ledgers = readLedgers(this.#options.folder);
    const lines = ledgers.reduce((sum, { entries }) => sum + entries.length, 0);
    if (lines !== this.#lines) this.#movedMs = nowMs;
    this.#lines = lines;
    return balance(ledgers, deadIds).lost.length === 0 || nowMs - this.#movedMs > standstillMs;
  }
}

function readLedgers(folder: string) {
  const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl") && name !== "results.jsonl");
  return files.map((name) => ({ name, note: "", entries: readLedger(readFileSync(join(folder, name), "utf8")) }));
}
