import { Ledger, type LedgerTotals } from "./ledger.ts";
import { firstNumber } from "./payload.ts";
import { machineMs } from "./questions.ts";

/** What the handler of every contender does: tick the message off and, where latency is asked, note when it came. */
export class Receiver {
  readonly arrivalsMs: number[] = [];
  readonly #ledger = new Ledger();
  readonly #isTimed: boolean;

  constructor(isTimed = false) {
    this.#isTimed = isTimed;
  }

  /** Different messages handled. */
  get handled(): number {
    return this.#ledger.handled;
  }

  /** @param n number of the message, from its payload */
  handle(n: number): void {
    this.#ledger.record(n);
    if (this.#isTimed) this.arrivalsMs[n - firstNumber] = machineMs();
  }

  totals(): LedgerTotals {
    return this.#ledger.totals();
  }
}
