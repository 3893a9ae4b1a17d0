/** Where the one `receive` of a subscription waits: for a message, the end of the subscription, or the abort of its signal. */
export class Arrival {
  #wake: (() => void) | undefined;

  /** Something has changed: who waits is to look again. */
  tell(): void {
    this.#wake?.();
  }

  /** Resolves with the next `tell`, or when `signal` aborts. */
  wait(signal: AbortSignal): Promise<void> {
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
