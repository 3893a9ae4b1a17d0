/**
 * Flights that wait for a handler, in the order in which they may start: higher priority first, then arrival. With `ordered`, a flight never
 * passes another of its key, and a key whose flight is not settled yet is left out.
 */
import type { Flight } from "./flight.ts";

/** The list moves up when so many places, and half of all, belong to flights that are taken. */
const takenMin = 1_024;

export class Backlog {
  readonly #isOrdered: boolean;
  /** Sorted; as long as all have one priority, pushing is appending. `#head` is the first that is not taken. */
  #flights: Flight[] = [];
  #head = 0;
  /** Keys of which a flight was taken and is not settled, with that flight. */
  readonly #busyKeys = new Map<string, Flight>();

  constructor(isOrdered: boolean) {
    this.#isOrdered = isOrdered;
  }

  get size(): number {
    return this.#flights.length - this.#head;
  }

  push(flight: Flight): void {
    const flights = this.#flights;
    let index = flights.length;
    while (index > this.#head && this.#mayPass(flight, flights[index - 1] as Flight)) index--; // head < index ≤ length
    if (index === flights.length) flights.push(flight);
    else flights.splice(index, 0, flight);
  }

  /** The next one that may start; its key is busy from now on. */
  take(): Flight | undefined {
    if (!this.#isOrdered) return this.#shift();
    for (let index = this.#head; index < this.#flights.length; index++) {
      const flight = this.#flights[index] as Flight; // index < length
      const { key } = flight.message;
      if (key !== undefined && this.#busyKeys.has(key)) continue;
      if (key !== undefined) this.#busyKeys.set(key, flight);
      this.#flights.splice(index, 1);
      return flight;
    }
    return undefined;
  }

  /** The flight is settled: if its key was busy with it, the next of the key may start. */
  free(flight: Flight): void {
    const { key } = flight.message;
    if (this.#isOrdered && key !== undefined && this.#busyKeys.get(key) === flight) this.#busyKeys.delete(key);
  }

  /** The message of one flight goes on in another, which is then what its key is busy with. */
  passOn(flight: Flight, next: Flight): void {
    const { key } = flight.message;
    if (this.#isOrdered && key !== undefined && this.#busyKeys.get(key) === flight) this.#busyKeys.set(key, next);
  }

  /** Whether one of those that wait came at that time or before. */
  holdsSince(receivedMs: number): boolean {
    for (let index = this.#head; index < this.#flights.length; index++) if ((this.#flights[index] as Flight).startedMs <= receivedMs) return true; // index < length
    return false;
  }

  /** Takes all that wait. */
  takeAll(): Flight[] {
    const rest = this.#flights.slice(this.#head);
    this.#flights = [];
    this.#head = 0;
    return rest;
  }

  #shift(): Flight | undefined {
    if (this.#head >= this.#flights.length) return undefined;
    const flight = this.#flights[this.#head++];
    if (this.#head === this.#flights.length) {
      this.#flights.length = 0;
      this.#head = 0;
    } else if (this.#head >= takenMin && 2 * this.#head >= this.#flights.length) {
      // Under steady load it is never empty: what was taken must go all the same.
      this.#flights = this.#flights.slice(this.#head);
      this.#head = 0;
    }
    return flight;
  }

  #mayPass(flight: Flight, other: Flight): boolean {
    if (flight.message.priority <= other.message.priority) return false;
    return !(this.#isOrdered && flight.message.key !== undefined && flight.message.key === other.message.key);
  }
}
