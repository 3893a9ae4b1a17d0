/**
 * Cuts a stream of bytes into frames. A frame that lies whole in a chunk is handed out where it lies; one that is cut is gathered in a
 * buffer that grows as bytes come, never by what its length promises: a header that announces gigabytes costs its four bytes.
 *
 * What is handed out is valid only during the call: the chunk belongs to the socket and the gathering buffer is used again.
 */
import { lengthBytes } from "./frames.ts";
import { violation } from "./violation.ts";

/** A gathering buffer above this size is let go after its frame. */
const keptBytesMax = 256 * 1024;
const gatherBytesMin = 16 * 1024;

/** Bytes `start` to `end` of `bytes` are what follows the type. Returning false stops the reading: nothing more is handed out. */
export type OnFrame = (type: number, bytes: Buffer, start: number, end: number) => boolean;

export class FrameReader {
  /** Longest frame accepted, without its length field. May be raised once the peer is known. */
  frameBytesMax: number;
  readonly #onFrame: OnFrame;
  #gathered = Buffer.alloc(0);
  #gatheredBytes = 0;
  #isStopped = false;

  constructor(frameBytesMax: number, onFrame: OnFrame) {
    this.frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
  }

  /** Bytes held for a frame that is not complete. */
  get heldBytes(): number {
    return this.#gatheredBytes;
  }

  /** @throws PROTOCOL_ERROR when a length is 0 or above `frameBytesMax`, and whatever `onFrame` throws. */
  push(chunk: Buffer): void {
    let start = 0;
    while (this.#gatheredBytes > 0 && start < chunk.length && !this.#isStopped) start = this.#complete(chunk, start);
    while (!this.#isStopped) {
      if (chunk.length - start < lengthBytes) break;
      const end = start + lengthBytes + this.#lengthAt(chunk, start);
      if (end > chunk.length) break;
      this.#hand(chunk, start, end);
      start = end;
    }
    if (start < chunk.length && !this.#isStopped) this.#gather(chunk, start, chunk.length);
  }

  /** Takes from the chunk what the gathered frame still lacks; returns where the chunk goes on. */
  #complete(chunk: Buffer, start: number): number {
    const isHeaderKnown = this.#gatheredBytes >= lengthBytes;
    const wanted = isHeaderKnown ? lengthBytes + this.#lengthAt(this.#gathered, 0) : lengthBytes;
    const end = Math.min(chunk.length, start + wanted - this.#gatheredBytes);
    this.#gather(chunk, start, end);
    if (!isHeaderKnown || this.#gatheredBytes < wanted) return end;
    const frame = this.#gathered;
    this.#gatheredBytes = 0;
    if (frame.length > keptBytesMax) this.#gathered = Buffer.alloc(0);
    this.#hand(frame, 0, wanted);
    return end;
  }

  #gather(chunk: Buffer, start: number, end: number): void {
    const bytes = this.#gatheredBytes + end - start;
    if (bytes > this.#gathered.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(gatherBytesMin, 2 ** Math.ceil(Math.log2(bytes))));
      this.#gathered.copy(grown, 0, 0, this.#gatheredBytes);
      this.#gathered = grown;
    }
    chunk.copy(this.#gathered, this.#gatheredBytes, start, end);
    this.#gatheredBytes = bytes;
  }

  #lengthAt(bytes: Buffer, position: number): number {
    const length = bytes.readUInt32BE(position);
    if (length === 0 || length > this.frameBytesMax) throw violation(`a frame of ${length} bytes, where 1 to ${this.frameBytesMax} are allowed`);
    return length;
  }

  #hand(bytes: Buffer, start: number, end: number): void {
    const type = bytes[start + lengthBytes] ?? 0;
    if (!this.#onFrame(type, bytes, start + lengthBytes + 1, end)) this.#isStopped = true;
  }
}
