import { type AloneResult, type Mark, markNow } from "./questions.ts";

/** Between two looks at the clock, so that looking costs nothing. */
export const messagesBetweenTicks = 256;

const timerMs = 50;

/** The window of a process that measures itself: opens when the warm-up is over, closes after the measured time. */
export class Stopwatch {
  readonly #openMs: number;
  readonly #closeMs: number;
  #from: Mark | undefined;
  #to: Mark | undefined;
  #timerTicks = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(options: { readonly warmupSeconds: number; readonly seconds: number }) {
    this.#openMs = markNow(0, 0).atMs + options.warmupSeconds * 1_000;
    this.#closeMs = this.#openMs + options.seconds * 1_000;
    this.#timer = setInterval(() => {
      if (this.#from !== undefined && this.#to === undefined) this.#timerTicks++;
    }, timerMs);
  }

  get isOver(): boolean {
    return this.#to !== undefined;
  }

  /** To be called every `messagesBetweenTicks` messages. */
  tick(published: number, handled: number): void {
    if (this.#to !== undefined) return;
    const now = markNow(published, handled);
    if (this.#from === undefined) {
      if (now.atMs >= this.#openMs) this.#from = now;
    } else if (now.atMs >= this.#closeMs) {
      this.#to = now;
      clearInterval(this.#timer);
    }
  }

  /** Throws before the window is closed. */
  get window(): Pick<AloneResult, "from" | "to" | "timerTicks"> {
    if (this.#from === undefined || this.#to === undefined) throw new Error("The measurement is not over yet.");
    return { from: this.#from, to: this.#to, timerTicks: this.#timerTicks };
  }
}
