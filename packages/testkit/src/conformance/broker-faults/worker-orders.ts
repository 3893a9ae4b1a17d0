/** What a consumer process is told, as its only argument, and what it says. */

export interface WorkerOrders {
  /** Exports `createBackend(config)`. */
  readonly module: string;
  readonly config: unknown;
  readonly namespace: string;
  /** Where its ledger is written. */
  readonly ledgerDirectory: string;
  readonly group: string;
  readonly pattern: string;
  readonly concurrency: number;
  readonly inFlightMax: number;
  readonly retryDelayMs?: number;
  /** Name of one of `faultyOnBrokers`, for the proof of the suite. */
  readonly faulty?: string | undefined;
  /**
   * `handle`: each message. `hold`: starts and never ends. `fail-once`: throws at the first attempt. `die`: kills its process for payloads that say
   * `{ poison: true }`, and handles the others.
   */
  readonly job: "handle" | "hold" | "fail-once" | "die";
}

export type WorkerWord = { readonly subscribed: true } | { readonly started: string };
