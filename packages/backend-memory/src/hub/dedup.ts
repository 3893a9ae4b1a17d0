/**
 * Which (topic, id) were accepted within the window. Nearly all publishes carry a fresh id that nobody will repeat, so remembering must cost next
 * to nothing: it appends eight bytes to a log of typed arrays. A set of strings was measured at 1.5–2 µs a message, more than all the rest.
 * Only when an id must be looked up (a repeat after an unknown outcome, an id of the user's) a hash index is built over the log, chunk by chunk,
 * and from then on extended by what came since. Chunks go as a whole when the youngest of their ids is older than the window.
 */
import type { Fingerprints, TopicHash } from "./fingerprint.ts";

const chunkIdsMin = 4_096;
const chunkIdsMax = 1_048_576;
/** The first chunks are followed by much larger ones: a look-up visits every chunk. */
const chunkGrowth = 16;
/** Of a word of the index so many bits say where the id lies in its chunk; the rest is a part of its fingerprint, so that strangers are passed over unread. */
const placeBits = 21;
const placeMask = 2 ** placeBits - 1;
/** A chunk covers at most this part of the window: an id is remembered for the window and at most an eighth longer. */
const chunksPerWindow = 8;

interface Chunk {
  /** Two words an id. */
  readonly words: Uint32Array;
  readonly idsMax: number;
  readonly startMs: number;
  lastMs: number;
  count: number;
  /** Open addressing: place in the log + 1 and some bits of the id, 0 for empty. Made at the first look-up. */
  index: Uint32Array | undefined;
  /** How many ids of the log the index holds. */
  indexed: number;
}

export class DedupLog {
  readonly #windowMs: number;
  readonly #idsMax: number;
  readonly #fingerprints: Fingerprints;
  #chunks: Chunk[] = [];
  #current: Chunk | undefined = undefined;
  #count = 0;
  #nowMs = 0;

  /** `windowMs` 0: remembers nothing. */
  constructor(settings: { readonly windowMs: number; readonly idsMax: number; readonly fingerprints: Fingerprints }) {
    this.#windowMs = settings.windowMs;
    this.#idsMax = settings.idsMax;
    this.#fingerprints = settings.fingerprints;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#windowMs > 0 && this.#count >= this.#idsMax;
  }

  /** Once a batch, before its ids: forgets what is older than the window. */
  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    for (let oldest = this.#chunks[0]; oldest !== undefined && nowMs - oldest.lastMs > this.#windowMs; oldest = this.#chunks[0]) {
      this.#chunks.shift();
      this.#count -= oldest.count;
      if (oldest === this.#current) this.#current = undefined;
    }
    if (this.#current !== undefined && nowMs - this.#current.startMs > this.#windowMs / chunksPerWindow) this.#current = undefined;
  }

  /** Names the id that `isKnown` and `add` are about: mixed once for both. */
  look(topic: TopicHash, id: string): void {
    if (this.#windowMs > 0) this.#fingerprints.ofId(topic, id);
  }

  isKnown(): boolean {
    if (this.#count === 0) return false;
    const low = this.#fingerprints.low >>> 0;
    const high = this.#fingerprints.high >>> 0;
    // Youngest first: a repeat follows soon.
    for (let index = this.#chunks.length - 1; index >= 0; index--) {
      const chunk = this.#chunks[index];
      if (chunk !== undefined && isInChunk(chunk, low, high)) return true;
    }
    return false;
  }

  /** Call only where `isFull` is false. */
  add(): void {
    if (this.#windowMs === 0) return;
    let chunk = this.#current;
    if (chunk === undefined || chunk.count >= chunk.idsMax) chunk = this.#begin();
    const place = chunk.count * 2;
    chunk.words[place] = this.#fingerprints.low;
    chunk.words[place + 1] = this.#fingerprints.high;
    chunk.count++;
    chunk.lastMs = this.#nowMs;
    this.#count++;
  }

  /** Chunks grow while they fill up, so that a quiet hub holds kilobytes and a busy one few chunks. */
  #begin(): Chunk {
    const last = this.#chunks.at(-1);
    const wanted = last === undefined ? chunkIdsMin : last.count >= last.idsMax ? last.idsMax * chunkGrowth : last.count;
    const idsMax = Math.max(chunkIdsMin, Math.min(chunkIdsMax, wanted));
    const chunk: Chunk = { words: new Uint32Array(idsMax * 2), idsMax, startMs: this.#nowMs, lastMs: this.#nowMs, count: 0, index: undefined, indexed: 0 };
    this.#chunks.push(chunk);
    this.#current = chunk;
    return chunk;
  }
}

function isInChunk(chunk: Chunk, low: number, high: number): boolean {
  const { words } = chunk;
  const index = indexOf(chunk);
  const mask = index.length - 1;
  const tag = high >>> placeBits;
  for (let slot = low & mask; ; slot = (slot + 1) & mask) {
    const value = index[slot] ?? 0;
    if (value === 0) return false;
    if (value >>> placeBits !== tag) continue;
    const place = (value & placeMask) * 2;
    if (words[place - 2] === low && words[place - 1] === high) return true;
  }
}

/** The chunk's index, up to date. At most half full, so that a search ends soon. */
function indexOf(chunk: Chunk): Uint32Array {
  chunk.index ??= new Uint32Array(2 ** Math.ceil(Math.log2(chunk.idsMax * 2)));
  const { index, words } = chunk;
  const mask = index.length - 1;
  for (; chunk.indexed < chunk.count; chunk.indexed++) {
    const place = chunk.indexed * 2;
    let slot = (words[place] ?? 0) & mask;
    while (index[slot] !== 0) slot = (slot + 1) & mask;
    index[slot] = (((words[place + 1] ?? 0) >>> placeBits) << placeBits) | (chunk.indexed + 1);
  }
  return index;
}
