/**
 * Which (topic, id) were accepted within the window. Nearly all publishes carry a fresh id that nobody will repeat, so remembering must cost next
 * to nothing: it appends eight bytes to a log of typed arrays. A set of strings was measured at 1.5–2 µs a message, more than all the rest.
 * Only when an id must be looked up (a repeat after an unknown outcome, an id of the user's) a hash index is built over the log, chunk by chunk,
 * and from then on extended by what came since. Chunks go as a whole when the youngest of their ids is older than the window.
 */
import type { Fingerprints, TopicHash } from "./fingerprint.ts";

const chunkIdsMin = 1_024;
const chunkIdsMax = 1_048_576;
/** A chunk covers at most this part of the window: an id is remembered for the window and at most an eighth longer. */
const chunksPerWindow = 8;

interface Chunk {
  /** Two words an id. */
  readonly words: Uint32Array;
  readonly idsMax: number;
  readonly startMs: number;
  lastMs: number;
  count: number;
  /** Open addressing: place in the log + 1, 0 for empty. Made at the first look-up. */
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

  /** Call only where `isFull` is false. */
  add(topic: TopicHash, id: string): void {
    if (this.#windowMs === 0) return;
    this.#fingerprints.ofId(topic, id);
    let chunk = this.#current;
    if (chunk === undefined || chunk.count >= chunk.idsMax) chunk = this.#begin();
    const place = chunk.count * 2;
    chunk.words[place] = this.#fingerprints.low;
    chunk.words[place + 1] = this.#fingerprints.high;
    chunk.count++;
    chunk.lastMs = this.#nowMs;
    this.#count++;
  }

  has(topic: TopicHash, id: string): boolean {
    if (this.#count === 0) return false;
    this.#fingerprints.ofId(topic, id);
    const low = this.#fingerprints.low >>> 0;
    const high = this.#fingerprints.high >>> 0;
    // Youngest first: a repeat follows soon.
    for (let index = this.#chunks.length - 1; index >= 0; index--) {
      const chunk = this.#chunks[index];
      if (chunk !== undefined && isInChunk(chunk, low, high)) return true;
    }
    return false;
  }

  /** Chunks grow while they fill up, so that a quiet hub holds kilobytes and a busy one few chunks. */
  #begin(): Chunk {
    const last = this.#chunks.at(-1);
    const wanted = last === undefined ? chunkIdsMin : last.count >= last.idsMax ? last.idsMax * 4 : last.count;
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
  for (let slot = low & mask; ; slot = (slot + 1) & mask) {
    const place = index[slot] ?? 0;
    if (place === 0) return false;
    if (words[place * 2 - 2] === low && words[place * 2 - 1] === high) return true;
  }
}

/** The chunk's index, up to date. At most half full, so that a search ends soon. */
function indexOf(chunk: Chunk): Uint32Array {
  chunk.index ??= new Uint32Array(2 ** Math.ceil(Math.log2(chunk.idsMax * 2)));
  const { index, words } = chunk;
  const mask = index.length - 1;
  for (; chunk.indexed < chunk.count; chunk.indexed++) {
    let slot = (words[chunk.indexed * 2] ?? 0) & mask;
    while (index[slot] !== 0) slot = (slot + 1) & mask;
    index[slot] = chunk.indexed + 1;
  }
  return index;
}
