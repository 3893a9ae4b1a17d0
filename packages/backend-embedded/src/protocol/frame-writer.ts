/**
 * Writes frames into preallocated chunks. What is written in one turn leaves at its end, or as soon as `flushBytes` are there: a system call costs
 * as much as encoding twenty messages, but one large write would make both sides work by turns.
 *
 * The turn's end is `setImmediate`: it comes after all sockets that were readable in this round of the event loop have been read, so that the
 * answers to all of them go together. A lone message is not held up, the same round ends at once.
 */
import { HalyardError } from "@halyard/core/spi";
import { lengthBytes } from "./frames.ts";
import { writeUtf8 } from "./text-bytes.ts";

/** Size of a chunk; about 200 messages of 256 bytes. What is larger gets a chunk of its own. */
export const chunkBytes = 64 * 1024;
/** As much leaves before the turn's end: the other side can begin while we go on. Below that a system call of its own costs more than it gains. */
const flushBytes = 16 * 1024;
/** Chunks that a pool keeps for later instead of allocating anew. */
const spareChunksMax = 16;
/** Up to this length a loop over the characters beats a call into native code (measured at 36 and 64 characters). */
const loopCharactersMax = 48;

/** Takes a chunk; calls `onWritten` when it no longer needs it. */
export type Sink = (chunk: Buffer, onWritten: () => void) => void;

interface Chunk {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** Chunks for all writers of one server or client. A writer holds one only while it has something to send: a thousand idle connections hold none. */
export class ChunkPool {
  readonly #spare: Chunk[] = [];

  take(): Chunk {
    return this.#spare.pop() ?? newChunk(chunkBytes);
  }

  giveBack(chunk: Chunk): void {
    if (chunk.bytes.length === chunkBytes && this.#spare.length < spareChunksMax) this.#spare.push(chunk);
  }
}

const noChunk: Chunk = newChunk(0);

export class FrameWriter {
  bytes: Buffer = noChunk.bytes;
  view: DataView = noChunk.view;
  position = 0;
  readonly #sink: Sink;
  readonly #pool: ChunkPool;
  #chunk: Chunk = noChunk;
  /** Where the open frame begins; −1: none is open. */
  #frameStart = -1;
  #frames = 0;
  #isFlushPlanned = false;
  #isClosed = false;
  /** Where the last frame began, if it was one of finished requests and nothing came after it. */
  #doneStart = -1;

  constructor(pool: ChunkPool, sink: Sink) {
    this.#pool = pool;
    this.#sink = sink;
  }

  /** Frames begun in all; whoever watches it knows whether there was something to say. */
  get frames(): number {
    return this.#frames;
  }

  /** Bytes written and not yet given to the sink. */
  get pendingBytes(): number {
    return this.position;
  }

  begin(type: number): void {
    this.#doneStart = -1;
    this.reserve(lengthBytes + 1);
    this.#frameStart = this.position;
    this.position += lengthBytes;
    this.bytes[this.position++] = type;
  }

  end(): void {
    this.view.setUint32(this.#frameStart, this.position - this.#frameStart - lengthBytes);
    this.#frameStart = -1;
    this.#frames++;
    if (this.position >= flushBytes) this.flush();
    else this.#planFlush();
  }

  /** Takes back the open frame. */
  cancel(): void {
    if (this.#frameStart < 0) return;
    this.position = this.#frameStart;
    this.#frameStart = -1;
  }

  /** Length of the open frame so far, without its length field. */
  get frameBytes(): number {
    return this.position - this.#frameStart - lengthBytes;
  }

  /** A number at the end of a frame of `type` that is nothing but numbers; several in a row share one frame. */
  appendTo(type: number, value: number): void {
    if (this.#doneStart < 0 || this.position + 4 > this.bytes.length) {
      this.begin(type);
      const start = this.#frameStart;
      this.u32(value);
      this.end();
      this.#doneStart = start;
      return;
    }
    this.view.setUint32(this.position, value);
    this.position += 4;
    this.view.setUint32(this.#doneStart, this.position - this.#doneStart - lengthBytes);
  }

  /** Makes room for so many bytes in one piece. An open frame moves along. */
  reserve(bytes: number): void {
    if (this.position + bytes <= this.bytes.length) return;
    const frameStart = this.#frameStart < 0 ? this.position : this.#frameStart;
    const old = this.#chunk;
    const kept = this.position - frameStart;
    const needed = kept + bytes;
    // A frame that outgrows its chunk doubles, so that a large batch is not copied for each message.
    const next = needed <= chunkBytes ? this.#pool.take() : newChunk(Math.max(chunkBytes, needed * 2));
    old.bytes.copy(next.bytes, 0, frameStart, this.position);
    this.#chunk = next;
    this.bytes = next.bytes;
    this.view = next.view;
    this.position = kept;
    if (this.#frameStart >= 0) this.#frameStart = 0;
    this.#doneStart = -1;
    this.#give(old, frameStart);
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.position++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.position, value);
    this.position += 4;
  }

  f64(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.position, value);
    this.position += 8;
  }

  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.bytes[this.position++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.position++] = rest;
  }

  difference(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** One byte of length, then UTF-8. */
  text8(text: string): void {
    this.reserve(1 + text.length * 3);
    const start = this.position++;
    const length = this.characters(text);
    if (length > 255) throw tooLong(255);
    this.bytes[start] = length;
  }

  /** Two bytes of length, then UTF-8. */
  text16(text: string): void {
    this.reserve(2 + text.length * 3);
    const start = this.position;
    this.position += 2;
    const length = this.characters(text);
    if (length > 65_535) throw tooLong(65_535);
    this.view.setUint16(start, length);
  }

  /** Four bytes of length, then UTF-8. */
  text32(text: string): void {
    this.reserve(4 + text.length * 3);
    const start = this.position;
    this.position += 4;
    this.view.setUint32(start, this.characters(text));
  }

  json(value: unknown): void {
    const text = JSON.stringify(value) ?? "null";
    this.reserve(text.length * 3);
    this.characters(text);
  }

  raw(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.reserve(length);
    this.bytes.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.position);
    this.position += length;
  }

  /** UTF-8 without a length; the room must be there. Returns the number of bytes. */
  characters(text: string): number {
    const start = this.position;
    if (text.length <= loopCharactersMax) {
      let position = start;
      let all = 0;
      for (let index = 0; index < text.length; index++) {
        const code = text.charCodeAt(index);
        all |= code;
        this.bytes[position++] = code;
      }
      if (all < 128) {
        this.position = position;
        return text.length;
      }
    }
    const written = writeUtf8(this.bytes, text, start);
    this.position = start + written;
    return written;
  }

  /** Gives everything that is complete to the sink, now. */
  flush(): void {
    if (this.position === 0 || this.#frameStart >= 0) return;
    const old = this.#chunk;
    const length = this.position;
    this.#chunk = noChunk;
    this.bytes = noChunk.bytes;
    this.view = noChunk.view;
    this.position = 0;
    this.#doneStart = -1;
    this.#give(old, length);
  }

  /** Drops what was not flushed; what is written later is dropped as well. */
  close(): void {
    this.#isClosed = true;
    this.position = 0;
    this.#doneStart = -1;
  }

  #give(chunk: Chunk, length: number): void {
    if (length === 0 || this.#isClosed) this.#pool.giveBack(chunk);
    else this.#sink(length === chunk.bytes.length ? chunk.bytes : chunk.bytes.subarray(0, length), () => this.#pool.giveBack(chunk));
  }

  #planFlush(): void {
    if (this.#isClosed) this.position = 0;
    else if (this.position >= chunkBytes) this.flush();
    else if (!this.#isFlushPlanned) {
      this.#isFlushPlanned = true;
      setImmediate(this.#flushPlanned);
    }
  }

  readonly #flushPlanned = (): void => {
    this.#isFlushPlanned = false;
    this.flush();
  };
}

function newChunk(bytes: number): Chunk {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  return { bytes: buffer, view: new DataView(buffer.buffer) };
}

function tooLong(bytesMax: number): HalyardError {
  return new HalyardError("HEADERS_TOO_LARGE", `A header or property takes more than ${bytesMax} bytes and cannot be sent: put large data into the payload.`);
}
