/**
 * One direction of a proxied connection: what `source` sends goes to `sink`, bent by the faults of the moment. Bytes wait in one queue whose
 * bound pauses the source, so a stalled pipe pushes back like a stalled network does and holds no more than `bufferBytesMax`.
 */
import type { Socket } from "node:net";

/** What a pipe holds at most before it stops reading; then the sender's own buffers fill, as on a real network. */
const bufferBytesMax = 1024 * 1024;
/** Pieces that one chunk is cut into at most: a megabyte in pieces of three bytes would take minutes. */
const piecesMax = 256;

/** The faults that pipes look at, shared by all pipes of a proxy. */
export interface Bending {
  isStalled: boolean;
  latencyMs: number;
  /** Largest piece; 0: chunks stay as they are. */
  pieceBytesMax: number;
}

interface Waiting {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

export class Pipe {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #bending: Bending;
  readonly #queue: Waiting[] = [];
  #queuedBytes = 0;
  #hasEnded = false;
  #isBusy = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: Socket, sink: Socket, bending: Bending) {
    this.#source = source;
    this.#sink = sink;
    this.#bending = bending;
    sink.on("drain", () => this.pump());
  }

  take(chunk: Buffer): void {
    const dueMs = performance.now() + this.#bending.latencyMs;
    for (const bytes of pieces(chunk, this.#bending.pieceBytesMax)) this.#queue.push({ bytes, dueMs });
    this.#queuedBytes += chunk.byteLength;
    if (this.#queuedBytes >= bufferBytesMax) this.#source.pause();
    this.pump();
  }

  /** The source has said its last word: pass that on after what still waits. */
  end(): void {
    this.#hasEnded = true;
    this.pump();
  }

  drop(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#source.resume();
  }

  pump(): void {
    while (!this.#isBusy && !this.#bending.isStalled && !this.#sink.destroyed && !this.#sink.writableNeedDrain) {
      const next = this.#queue[0];
      if (next === undefined) {
        if (this.#hasEnded && !this.#sink.writableEnded) this.#sink.end();
        return;
      }
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.#again((run) => setTimeout(run, waitMs));
        return;
      }
      this.#queue.shift();
      this.#queuedBytes -= next.bytes.byteLength;
      if (this.#queuedBytes < bufferBytesMax) this.#source.resume();
      this.#sink.write(next.bytes); // where it is full, "drain" goes on
      // A turn of the event loop between pieces makes them arrive as pieces, not glued together by the kernel.
      if (this.#bending.pieceBytesMax > 0) this.#again((run) => setImmediate(run));
    }
  }

  #again(schedule: (run: () => void) => NodeJS.Timeout | NodeJS.Immediate): void {
    this.#isBusy = true;
    const handle = schedule(() => {
      this.#isBusy = false;
      this.pump();
    });
    if ("refresh" in handle) this.#timer = handle;
  }
}

function pieces(chunk: Buffer, pieceBytesMax: number): readonly Buffer[] {
  if (pieceBytesMax === 0) return [chunk];
  const result: Buffer[] = [];
  let start = 0;
  while (start < chunk.byteLength && result.length < piecesMax) {
    const end = start + 1 + Math.floor(Math.random() * pieceBytesMax);
    result.push(chunk.subarray(start, end));
    start = end;
  }
  if (start < chunk.byteLength) result.push(chunk.subarray(start));
  return result;
}
