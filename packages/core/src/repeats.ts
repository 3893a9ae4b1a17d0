/**
 * Which deliveries are repeats. Live subscriptions drop an id that came already: some brokers hand a repeated publish to live subscribers twice.
 * Groups with `dedup` suppress an id that was *handled* before, for brokers that do not deduplicate by themselves. A retry, a redrive or a
 * redelivery is never a repeat.
 */
import type { Clock } from "./clock.ts";
import type { ConsumeLine } from "./consume.ts";
import type { Flight } from "./flight.ts";
import { IdWindow } from "./id-window.ts";
import { ownHeaders } from "./message.ts";
import type { ResolvedSubscribeOptions } from "./subscribe-options.ts";

const liveIdsMax = 2_048;
const liveWindowMs = 60_000;

export class Repeats {
  readonly #clock: Clock;
  /** One window a group, shared by its members on this bus. */
  readonly #handled = new Map<string, IdWindow>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `undefined` where nothing is ever taken for a repeat. */
  checkFor({ group, dedup }: ResolvedSubscribeOptions): ConsumeLine["isRepeat"] {
    if (group === undefined) return liveCheck(new IdWindow(this.#clock, { windowMs: liveWindowMs, idsMax: liveIdsMax }));
    if (dedup === undefined) return undefined;
    const window = this.#handled.get(group) ?? new IdWindow(this.#clock, dedup);
    this.#handled.set(group, window);
    return (flight) => isFirstHandOver(flight) && window.has(flight.message.id);
  }

  /** Remembered only once it is settled: what was handled and not acked comes again, and must. */
  handled({ group, message }: Flight): void {
    if (this.#handled.size > 0 && group !== undefined) this.#handled.get(group)?.add(message.id);
  }
}

function liveCheck(seen: IdWindow): (flight: Flight) => boolean {
  return ({ message, attempt }) => {
    if (attempt > 1) return false;
    if (seen.has(message.id)) return true;
    seen.add(message.id);
    return false;
  };
}

function isFirstHandOver({ message, attempt, deliveries }: Flight): boolean {
  return attempt === 1 && deliveries === 1 && message.headers[ownHeaders.redriven] === undefined;
}
