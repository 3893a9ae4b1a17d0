import { firstNumber, messagesMax } from "./payload.ts";

/** What became of the messages of one run. All is well where `handled` is what was published and the other two are 0. */
export interface LedgerTotals {
  /** Different messages that were handled. */
  readonly handled: number;
  /** Handlings beyond the first of a message. */
  readonly duplicates: number;
  /** Numbers below the highest one seen that never came. */
  readonly missing: number;
}

/** Ticks off every message by its number: one bit a message, so that it weighs next to nothing in what is measured, and the same for all contenders. */
export class Ledger {
  #seen = new Uint8Array(1 << 20);
  #handled = 0;
  #duplicates = 0;
  #highest = -1;

  get handled(): number {
    return this.#handled;
  }

  /** Notes that the message with this `n` was handled. Throws on a number that no message of a run has. */
  record(n: number): void {
    if (!(n >= firstNumber && n < firstNumber + messagesMax)) throw new Error(`${n} is not the number of a message: a run has at most ${messagesMax}.`);
    const index = n - firstNumber;
    const cell = index >>> 3;
    const bit = 1 << (index & 7);
    if (cell >= this.#seen.length) this.#grow(cell);
    const seen = this.#seen[cell] ?? 0; // the cell is there: it was made if it was not
    if ((seen & bit) !== 0) {
      this.#duplicates++;
      return;
    }
    this.#seen[cell] = seen | bit;
    this.#handled++;
    if (index > this.#highest) this.#highest = index;
  }

  totals(): LedgerTotals {
    return { handled: this.#handled, duplicates: this.#duplicates, missing: this.#highest + 1 - this.#handled };
  }

  #grow(cell: number): void {
    const grown = new Uint8Array(Math.max(this.#seen.length * 2, cell + 1));
    grown.set(this.#seen);
    this.#seen = grown;
  }
}
