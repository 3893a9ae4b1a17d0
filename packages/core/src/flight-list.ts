/** The unsettled flights of one subscription, in no order. A flight knows its place, so leaving costs nothing, however many there are. */
import type { Flight } from "./flight.ts";

export class FlightList {
  readonly #flights: Flight[] = [];

  get size(): number {
    return this.#flights.length;
  }

  add(flight: Flight): void {
    flight.index = this.#flights.push(flight) - 1;
  }

  /** False if it was not there any more. */
  remove(flight: Flight): boolean {
    const { index } = flight;
    if (index < 0) return false;
    const last = this.#flights.pop() as Flight; // it holds at least this flight
    if (last !== flight) {
      this.#flights[index] = last;
      last.index = index;
    }
    flight.index = -1;
    return true;
  }

  /** A copy: flights leave while their owner walks over them. */
  all(): Flight[] {
    return [...this.#flights];
  }
}
