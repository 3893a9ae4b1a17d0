/** Keeps the leases of what a subscription holds, on brokers that take back what is held too long. */
import type { Clock } from "./clock.ts";
import { HalyardError } from "./errors.ts";
import type { Flight } from "./flight.ts";
import type { FlightList } from "./flight-list.ts";
import type { BackendSubscription } from "./spi/subscription.ts";
import { asError, withDeadline } from "./waiting.ts";

/** Extended so often within one lease: one extension may fail or come late without harm. */
const extensionsPerLease = 3;

export class LeaseKeeper {
  readonly #lease: NonNullable<BackendSubscription["lease"]>;
  readonly #flights: FlightList;
  readonly #clock: Clock;
  readonly #warn: (text: string, error: Error) => void;
  #dueMs: number;
  #isExtending = false;
  #isOver = false;

  constructor(lease: NonNullable<BackendSubscription["lease"]>, flights: FlightList, clock: Clock, warn: (text: string, error: Error) => void) {
    this.#lease = lease;
    this.#flights = flights;
    this.#clock = clock;
    this.#warn = warn;
    this.#dueMs = clock.monotonicMs() + this.#intervalMs;
  }

  get #intervalMs(): number {
    return this.#lease.durationMs / extensionsPerLease;
  }

  /** For the ticker. */
  readonly watch = (nowMs: number): boolean => {
    if (nowMs >= this.#dueMs && !this.#isExtending) void this.#extend(nowMs);
    for (const flight of this.#flights.all()) if (flight.leaseUntilMs !== undefined && flight.leaseUntilMs <= nowMs) flight.abort(lapsed());
    return !this.#isOver;
  };

  end(): void {
    this.#isOver = true;
  }

  /** What is extended counts from before the call: the broker's lease is never shorter than ours. */
  async #extend(nowMs: number): Promise<void> {
    this.#dueMs = nowMs + this.#intervalMs;
    const held = this.#flights.all().filter(({ leaseUntilMs }) => leaseUntilMs !== undefined);
    if (held.length === 0) return;
    this.#isExtending = true;
    try {
      const receipts = held.map(({ receipt }) => receipt);
      const lost = new Set(await withDeadline(this.#clock, this.#lease.durationMs, "Extending leases", () => this.#lease.extend(receipts)));
      for (const flight of held) this.#note(flight, lost.has(flight.receipt), nowMs);
    } catch (thrown) {
      if (!this.#isOver) this.#warn("Leases could not be extended; what lapses is not settled and comes again.", asError(thrown));
    } finally {
      this.#isExtending = false;
    }
  }

  #note(flight: Flight, isLost: boolean, nowMs: number): void {
    flight.leaseUntilMs = isLost ? Number.NEGATIVE_INFINITY : nowMs + this.#lease.durationMs;
    if (isLost) flight.abort(lapsed());
  }
}

function lapsed(): HalyardError {
  return new HalyardError("LEASE_LOST", "The broker took the message back while it was handled: it comes again, here or elsewhere.");
}
