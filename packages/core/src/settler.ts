/**
 * Gathers the outcomes of one turn and settles them in one call. Keeps what the backend could not do (`failed`: the copy of a move was not
 * stored) and tries it again while the source lives, so that nothing is acked that was not moved first.
 */
import type { Clock } from "./clock.ts";
import type { Flight } from "./flight.ts";
import type { Outcome } from "./spi/message.ts";
import type { BackendSubscription } from "./spi/subscription.ts";
import { asError, sleep } from "./waiting.ts";

const retryDelayMsMin = 100;
const retryDelayMsMax = 5_000;

export interface SettlerObserver {
  /** The backend has done it. */
  settled(flight: Flight, outcome: Outcome): void;
  /** The broker had taken the message back, or the session ended: it comes again. */
  stale(flight: Flight, outcome: Outcome): void;
  /** Could not be done now; is tried again. */
  failed(flight: Flight, error: Error | undefined): void;
}

export class Settler {
  readonly #source: BackendSubscription;
  readonly #clock: Clock;
  readonly #observer: SettlerObserver;
  readonly #onReject: (error: Error) => void;
  #pending: Flight[] = [];
  #isPlanned = false;
  #isOver = false;
  readonly #running = new Set<Promise<void>>();
  /** Asked for and not answered. */
  readonly #asked = new Set<readonly Flight[]>();
  readonly #retries = new Map<Flight, () => void>();

  /** `onReject`: the backend rejected a whole settlement, because the session has ended or is about to, or for no reason that it may have. */
  constructor(source: BackendSubscription, clock: Clock, observer: SettlerObserver, onReject: (error: Error) => void = () => undefined) {
    this.#source = source;
    this.#clock = clock;
    this.#observer = observer;
    this.#onReject = onReject;
  }

  add(flight: Flight, outcome: Outcome): void {
    flight.outcome = outcome;
    this.#push(flight);
  }

  /** Settles now what was gathered so far. */
  readonly flush = (): void => {
    this.#isPlanned = false;
    if (this.#pending.length === 0) return;
    const batch = this.#pending;
    this.#pending = [];
    const run = this.#settle(batch);
    this.#running.add(run);
    void run.then(() => this.#running.delete(run));
  };

  /** Resolves when all that was added is settled or stale, what is tried again included. */
  async drain(): Promise<void> {
    for (this.flush(); this.#running.size > 0 || this.#retries.size > 0; this.flush()) {
      if (this.#running.size > 0) await Promise.all(this.#running);
      else await sleep(this.#clock, retryDelayMsMin);
    }
  }

  /** The source is gone: what is not settled comes again, also where the backend never answers. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const rest = [...this.#pending, ...this.#retries.keys(), ...[...this.#asked].flat()];
    for (const cancel of this.#retries.values()) cancel();
    this.#retries.clear();
    this.#pending = [];
    this.#asked.clear();
    this.#running.clear();
    for (const flight of rest) this.#observer.stale(flight, flight.outcome);
  }

  #push(flight: Flight): void {
    if (this.#isOver) {
      this.#observer.stale(flight, flight.outcome);
      return;
    }
    this.#pending.push(flight);
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    process.nextTick(this.flush);
  }

  async #settle(batch: readonly Flight[]): Promise<void> {
    this.#asked.add(batch);
    try {
      const statuses = await this.#source.settle(batch);
      if (!this.#asked.delete(batch)) return; // the source ended meanwhile
      for (let index = 0; index < batch.length; index++) {
        const flight = batch[index] as Flight; // index < length
        const status = statuses === undefined ? "done" : statuses[index];
        if (status === "done") this.#observer.settled(flight, flight.outcome);
        else if (status === "failed") this.#later(flight, undefined);
        else this.#observer.stale(flight, flight.outcome);
      }
    } catch (thrown) {
      if (!this.#asked.delete(batch)) return;
      // Done or not, nobody knows. What was not done comes again, when the session ends or the source is closed.
      for (const flight of batch) this.#observer.stale(flight, flight.outcome);
      this.#onReject(asError(thrown));
    }
  }

  #later(flight: Flight, error: Error | undefined): void {
    this.#observer.failed(flight, error);
    if (this.#isOver) {
      this.#observer.stale(flight, flight.outcome);
      return;
    }
    const delayMs = Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** flight.settleTries++);
    const cancel = this.#clock.after(delayMs, () => {
      this.#retries.delete(flight);
      this.#push(flight);
    });
    this.#retries.set(flight, cancel);
  }
}
