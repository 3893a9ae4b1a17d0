/**
 * What one client has asked for and not been answered. A client with too much of it, or that does not read its answers, is not read until that has
 * changed: what it floods is its own socket.
 */
import type { Link } from "../protocol/link.ts";

export interface WorkLimits {
  readonly requestsMax: number;
  readonly requestBytesMax: number;
}

export class OpenWork {
  readonly #link: Link;
  readonly #limits: WorkLimits;
  #requests = 0;
  #bytes = 0;
  #isWaitingForRoom = false;

  constructor(link: Link, limits: WorkLimits) {
    this.#link = link;
    this.#limits = limits;
  }

  get requests(): number {
    return this.#requests;
  }

  begin(bytes: number): void {
    this.#requests++;
    this.#bytes += bytes;
    if (!this.#hasRoom) this.#link.pause();
    else if (this.#link.isFull) this.#holdUntilDrained();
  }

  finish(bytes: number): void {
    this.#requests--;
    this.#bytes -= bytes;
    if (this.#link.isFull) this.#holdUntilDrained();
    else if (this.#hasRoom) this.#link.resume();
  }

  get #hasRoom(): boolean {
    return this.#requests < this.#limits.requestsMax && this.#bytes < this.#limits.requestBytesMax;
  }

  #holdUntilDrained(): void {
    this.#link.pause();
    if (this.#isWaitingForRoom) return;
    this.#isWaitingForRoom = true;
    void this.#link.drained().then(() => {
      this.#isWaitingForRoom = false;
      if (this.#link.isFull) this.#holdUntilDrained();
      else if (this.#hasRoom) this.#link.resume();
    });
  }
}
