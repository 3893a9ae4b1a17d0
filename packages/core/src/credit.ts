/**
 * How much a subscription may hold, and what its backend is told of it. A group's credit begins at 1 and opens with the first delivery that is no crash
 * suspect; a pause takes it all away, for what is fetched and waits here could go to other members. Live copies are nobody else's: they wait in their
 * buffer, so a live subscription's credit stays as it is.
 */
import type { BackendSubscription } from "./spi/subscription.ts";

export class Credit {
  readonly #isGroup: boolean;
  readonly #most: number;
  #source: BackendSubscription | undefined;
  #current: number;
  #isPaused = false;

  constructor(isGroup: boolean, most: number) {
    this.#isGroup = isGroup;
    this.#most = most;
    this.#current = most;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** How many more may be received by who holds so many. */
  room(held: number): number {
    return this.#isPaused ? 0 : this.#current - held;
  }

  /** A new source, whose first delivery may be a suspect where `isCautious`. */
  attach(source: BackendSubscription, isCautious: boolean): void {
    this.#source = source;
    this.#set(isCautious ? 1 : this.#most);
  }

  detach(): void {
    this.#source = undefined;
  }

  /** Nothing suspicious has come: all of it. */
  open(): void {
    if (this.#current < this.#most) this.#set(this.#most);
  }

  /** One at a time. */
  narrow(): void {
    this.#set(1);
  }

  pause(): void {
    this.#isPaused = true;
    this.withdraw();
  }

  resume(): void {
    this.#isPaused = false;
    this.#source?.credit(this.#current);
  }

  /** What the backend has fetched in advance goes to other members. */
  withdraw(): void {
    if (this.#isGroup) this.#source?.credit(0);
  }

  #set(inFlightMax: number): void {
    this.#current = inFlightMax;
    if (this.#isPaused) this.withdraw();
    else this.#source?.credit(inFlightMax);
  }
}
