/**
 * Messages that the broker told to wait, and everything published after them on the same route, so that order is kept; other routes flow. They are
 * let go together after a while that grows from one refusal to the next.
 */
import type { Clock } from "./clock.ts";
import { type Outgoing, routeOf } from "./outgoing.ts";

const delayMsMin = 20;
const delayMsMax = 1_000;

export class HeldBack {
  readonly #clock: Clock;
  /** The broker may be asked again: gets what was held, in the order of holding. */
  readonly #letGo: (entries: readonly Outgoing[]) => void;
  readonly #routes = new Set<string>();
  #entries: Outgoing[] = [];
  #delayMs = delayMsMin;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, letGo: (entries: readonly Outgoing[]) => void) {
    this.#clock = clock;
    this.#letGo = letGo;
  }

  get entries(): readonly Outgoing[] {
    return this.#entries;
  }

  /** Whether this entry has to wait behind one that is held. */
  isBehind(entry: Outgoing): boolean {
    return this.#routes.size > 0 && this.#routes.has(routeOf(entry));
  }

  hold(entry: Outgoing): void {
    entry.state = "held";
    this.#entries.push(entry);
    this.#routes.add(routeOf(entry));
    if (this.#cancel !== undefined) return;
    this.#cancel = this.#clock.after(this.#delayMs, this.#release);
    this.#delayMs = Math.min(delayMsMax, this.#delayMs * 2);
  }

  /** Holds what was published before the refusal arrived and has not left yet; returns the others. */
  holdFollowers(waiting: Outgoing[]): Outgoing[] {
    if (this.#routes.size === 0) return waiting;
    const free: Outgoing[] = [];
    for (const entry of waiting) {
      if (entry.state === "waiting" && this.isBehind(entry)) this.hold(entry);
      else free.push(entry);
    }
    return free;
  }

  /** The broker takes messages again: the next refusal is the first of a row. */
  relax(): void {
    this.#delayMs = delayMsMin;
  }

  sweep(): void {
    this.#entries = this.#entries.filter((entry) => entry.state !== "done");
  }

  close(): void {
    this.#cancel?.();
  }

  readonly #release = (): void => {
    this.#cancel = undefined;
    const entries = this.#entries.filter((entry) => entry.state !== "done");
    this.#entries = [];
    this.#routes.clear();
    for (const entry of entries) entry.state = "waiting";
    this.#letGo(entries);
  };
}
