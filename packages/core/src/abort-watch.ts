/** Entries that end when their signal aborts: one listener a signal, however many entries share it. */
export class AbortWatch<Entry> {
  readonly #waiting = new Map<AbortSignal, Set<Entry>>();
  readonly #aborted: (entries: readonly Entry[]) => void;

  /** `aborted` gets all entries of a signal at once; it is to call `remove` for each that ends. */
  constructor(aborted: (entries: readonly Entry[]) => void) {
    this.#aborted = aborted;
  }

  add(entry: Entry, signal: AbortSignal): void {
    const sharing = this.#waiting.get(signal);
    if (sharing !== undefined) {
      sharing.add(entry);
      return;
    }
    this.#waiting.set(signal, new Set([entry]));
    signal.addEventListener("abort", this.#onAbort);
  }

  remove(entry: Entry, signal: AbortSignal): void {
    const sharing = this.#waiting.get(signal);
    if (sharing === undefined || !sharing.delete(entry) || sharing.size > 0) return;
    this.#waiting.delete(signal);
    signal.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = ({ target }: Event): void => {
    const signal = target as AbortSignal; // only signals are listened to
    this.#aborted([...(this.#waiting.get(signal) ?? [])]);
  };
}
