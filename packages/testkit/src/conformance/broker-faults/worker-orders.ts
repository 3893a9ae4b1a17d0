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
  /** How long a handler takes before it ends well, milliseconds. Default 0. */
  readonly runMs?: number;
  /** Name of one of `faultyOnBrokers`, for the proof of the suite. */
  readonly faulty?: string | undefined;
  /**
   * `handle`: each message. `hold`: starts and never ends. `fail-once`: throws at the first attempt. `die`: kills its process for payloads that say
   * `{ poison: true }`, and handles the others. `wait`: starts, and ends when it is told to go on. `block`: stands still with its whole process for
   * the first payload that says `{ blockMs }`, and for each that says `{ blockMs, always: true }`.
   */
  readonly job: "handle" | "hold" | "fail-once" | "die" | "wait" | "block";
}

/** What a consumer process is told later. */
export type WorkerCommand = "go on" | "count";

export type WorkerWord = { readonly subscribed: true } | { readonly started: string } | { readonly leasesLost: number; readonly stale: number };
