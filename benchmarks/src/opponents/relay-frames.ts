/**
 * What the bare relay speaks: the least that moves messages at least once.
 *
 * A connection opens with two bytes: role, and for a subscriber which queue it reads. Messages are a length of four bytes (little endian) and
 * the body, both ways alike, so that the relay hands on the bytes it got. Acks are four bytes: "so many more".
 */

/** First byte of a connection. */
export const role = { publisher: 1, subscriber: 2 } as const;

export const helloBytes = 2;
export const headerBytes = 4;

/** Largest body: a wrong length must not make the relay wait for gigabytes. */
export const bodyBytesMax = 1 << 20;

/** Four bytes as a number. The caller has looked that they are there, so none reads as undefined; `?? 0` is what the compiler wants and costs nothing. */
export function readUint32(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8) | ((bytes[offset + 2] ?? 0) << 16) | ((bytes[offset + 3] ?? 0) << 24)) >>> 0;
}

export function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}

/** The four bytes of an ack. */
export function ackBytes(count: number): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes);
  writeUint32(bytes, 0, count);
  return bytes;
}

/** Adds up acks, which may arrive cut anywhere. */
export class AckReader {
  #partial = 0;
  #partialBytes = 0;

  /** How many more are acked by these bytes. */
  read(chunk: Uint8Array): number {
    let count = 0;
    for (const byte of chunk) {
      this.#partial += byte * 2 ** (8 * this.#partialBytes++);
      if (this.#partialBytes < headerBytes) continue;
      count += this.#partial;
      this.#partial = 0;
      this.#partialBytes = 0;
    }
    return count;
  }
}

/** Finds where frames end without copying: the relay hands on runs of whole frames and never looks into them. */
export class FrameScanner {
  #header = 0;
  #headerBytes = 0;
  #bodyBytesLeft = 0;

  /** Frames that end in this chunk, and where the last one does (0 where none does). Throws on a length above the limit. */
  scan(chunk: Uint8Array): { readonly frames: number; readonly endOfLast: number } {
    let frames = 0;
    let endOfLast = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerBytes < headerBytes) {
        at = this.#readHeader(chunk, at);
        if (this.#headerBytes < headerBytes) break;
      }
      const taken = Math.min(this.#bodyBytesLeft, chunk.length - at);
      at += taken;
      this.#bodyBytesLeft -= taken;
      if (this.#bodyBytesLeft > 0) break;
      this.#headerBytes = 0;
      frames++;
      endOfLast = at;
    }
    return { frames, endOfLast };
  }

  #readHeader(chunk: Uint8Array, start: number): number {
    let at = start;
    if (this.#headerBytes === 0 && chunk.length - at >= headerBytes) {
      this.#header = readUint32(chunk, at);
      this.#headerBytes = headerBytes;
      at += headerBytes;
    } else {
      if (this.#headerBytes === 0) this.#header = 0;
      while (at < chunk.length && this.#headerBytes < headerBytes) this.#header += (chunk[at++] ?? 0) * 2 ** (8 * this.#headerBytes++);
    }
    if (this.#headerBytes === headerBytes) {
      if (this.#header > bodyBytesMax) throw new Error(`A frame of ${this.#header} bytes is above the limit of ${bodyBytesMax}.`);
      this.#bodyBytesLeft = this.#header;
    }
    return at;
  }
}
