import { HalyardError } from "@halyard/core/spi";

/** Where the one `receive` of a subscription waits: for a message, the end of the subscription, or the abort of its signal. */
export class Arrival {
  #wake: (() => void) | undefined;

  /** Something has changed: who waits is to look again. */
  tell(): void {
    this.#wake?.();
  }

  /** Resolves with the next `tell`, or when `signal` aborts. Rejects with `BUSY` while another one waits. */
  wait(signal: AbortSignal): Promise<void> {
    if (this.#wake !== undefined) return Promise.reject(new HalyardError("BUSY", "One receive at a time: wait for the one before."));
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener("abort", wake);
    });
  }
}
