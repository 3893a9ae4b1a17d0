/**
 * Where the bytes of messages live once they have been read. A message may stay for hours in a queue; a slice of the 64 KiB chunk that the socket
 * read would keep the whole chunk alive for it. So each frame's messages are copied, in one go, into pages of 8 KiB: what one message can
 * keep alive is bounded by that, and a copy of a page costs far less than an allocation a message (0.4 µs, measured).
 */
const pageBytes = 8 * 1024;
/** What is larger gets a page of exactly its size. */
const sharedBytesMax = pageBytes / 4;

export interface Page {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export class Pages {
  #page: Page = pageOf(0);
  #used = 0;

  /** Bytes left in the current page. */
  get room(): number {
    return this.#page.bytes.length - this.#used;
  }

  /** Copies a message of `bytes` or a run of several, which must fit into `room` unless it is one message. Says where with `start`. */
  store(source: Buffer, start: number, end: number): { readonly page: Page; readonly start: number } {
    const bytes = end - start;
    if (bytes > this.room) {
      if (bytes > sharedBytesMax) {
        const page = pageOf(bytes);
        source.copy(page.bytes, 0, start, end);
        return { page, start: 0 };
      }
      this.#page = pageOf(pageBytes);
      this.#used = 0;
    }
    const place = { page: this.#page, start: this.#used };
    source.copy(this.#page.bytes, this.#used, start, end);
    this.#used += bytes;
    return place;
  }

  /** Begins a new page where a message of so many bytes would otherwise get a page of its own or a new one anyway. */
  prepare(bytes: number): void {
    if (bytes <= this.room || bytes > sharedBytesMax) return;
    this.#page = pageOf(pageBytes);
    this.#used = 0;
  }
}

function pageOf(bytes: number): Page {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  return { bytes: buffer, view: new DataView(buffer.buffer) };
}
