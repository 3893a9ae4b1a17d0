/**
 * One subscriber's queue in the relay. Messages arrive in runs (the whole frames of one read) and stay until they are acked, so that a subscriber
 * that went away gets them again. Runs are never cut: what is outstanding exceeds the window by at most one run, and no byte is copied.
 */
import type { Socket } from "node:net";

/** The whole frames of one read from a publisher. */
export interface Run {
  /** More than one where a frame was cut by the edge of a read. */
  readonly parts: readonly Uint8Array[];
  readonly frames: number;
}

/** Runs that were acked are cut off the front of the list in one go. */
const ackedRunsMax = 256;

export class RelayQueue {
  readonly #window: number;
  /** `[acked | sent, not acked | waiting]` */
  #runs: Run[] = [];
  #ackedRuns = 0;
  #sentRuns = 0;
  /** Acked frames of the oldest run that is not wholly acked. */
  #ackedFrames = 0;
  #unackedFrames = 0;
  #heldFrames = 0;
  #socket: Socket | undefined;

  /** @param window most messages that are sent and not acked */
  constructor(window: number) {
    this.#window = window;
  }

  /** Messages that the relay holds for this subscriber. */
  get heldFrames(): number {
    return this.#heldFrames;
  }

  /** The subscriber is here, or here again: what it had not acked goes out first. */
  attach(socket: Socket): void {
    this.#socket?.destroy();
    this.#socket = socket;
    this.#sentRuns = this.#ackedRuns;
    this.#unackedFrames = 0;
    this.#ackedFrames = 0;
    this.send();
  }

  detach(socket: Socket): void {
    if (this.#socket === socket) this.#socket = undefined;
  }

  add(run: Run): void {
    this.#runs.push(run);
    this.#heldFrames += run.frames;
  }

  /** Sends what the window allows, in one write. */
  send(): void {
    const socket = this.#socket;
    if (socket === undefined || !this.#hasNext()) return;
    socket.cork();
    while (this.#hasNext()) {
      const run = this.#runs[this.#sentRuns++];
      if (run === undefined) break;
      this.#unackedFrames += run.frames;
      for (const part of run.parts) socket.write(part);
    }
    socket.uncork();
  }

  ack(count: number): void {
    this.#unackedFrames -= count;
    this.#heldFrames -= count;
    this.#ackedFrames += count;
    for (let run = this.#runs[this.#ackedRuns]; run !== undefined && this.#ackedFrames >= run.frames; run = this.#runs[this.#ackedRuns]) {
      this.#ackedFrames -= run.frames;
      this.#ackedRuns++;
    }
    if (this.#ackedRuns >= ackedRunsMax) this.#forgetAcked();
  }

  #hasNext(): boolean {
    const next = this.#runs[this.#sentRuns];
    return next !== undefined && (this.#unackedFrames === 0 || this.#unackedFrames + next.frames <= this.#window);
  }

  #forgetAcked(): void {
    this.#runs = this.#runs.slice(this.#ackedRuns);
    this.#sentRuns -= this.#ackedRuns;
    this.#ackedRuns = 0;
  }
}
