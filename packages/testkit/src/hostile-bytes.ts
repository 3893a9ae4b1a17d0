/** Damaged input for codecs and compressors, and the bounds within which they must deal with it. */
import assert from "node:assert/strict";

/** One test of a suite. */
export interface SuiteCase {
  readonly title: string;
  readonly run: () => void;
}

/** For a batch of small inputs together, on a busy machine. A decoder that loops or follows a length it read takes minutes or gigabytes. */
const batchMsMax = 20_000;
const batchMemoryMax = 300_000_000;

/** Every strict prefix, the empty one included. */
export function prefixes(bytes: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: bytes.byteLength }, (_, length) => Uint8Array.from(bytes.subarray(0, length)));
}

/** One copy for each of: all bits of a byte, its lowest and its highest bit, at every place. */
export function flipped(bytes: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: bytes.byteLength * masks.length }, (_, index) => {
    const copy = Uint8Array.from(bytes);
    const place = Math.floor(index / masks.length);
    copy[place] = (copy[place] ?? 0) ^ (masks[index % masks.length] ?? 0);
    return copy;
  });
}

const masks = [0xff, 0x01, 0x80];

/** Runs what may throw an `Error`, but nothing else, and not a failed assertion. */
export function harmless(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof Error, "something was thrown that is not an Error");
    if (error instanceof assert.AssertionError) throw error;
  }
}

/** Runs it, and fails where it took too long or the process has grown by more than the input can be worth. */
export function bounded(run: () => void, what = "the input"): void {
  const before = process.memoryUsage.rss();
  const startMs = performance.now();
  run();
  const durationMs = performance.now() - startMs;
  const grown = process.memoryUsage.rss() - before;
  assert.ok(durationMs < batchMsMax, `${what} took ${Math.round(durationMs)} ms`);
  assert.ok(grown < batchMemoryMax, `${what} took ${grown} bytes of memory`);
}
