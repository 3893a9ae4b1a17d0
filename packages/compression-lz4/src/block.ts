/**
 * One LZ4 block: sequences of some literal bytes and a match, which repeats bytes that came before. Every length and offset is checked before it is
 * followed; bytes that were not written by this call are never read.
 * https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
 */
import { damaged } from "./errors.ts";
import type { Output } from "./output.ts";

/** A length of 15 in the token goes on in the bytes behind it. */
const lengthGoesOn = 15;
/** The shortest match; the token counts from it. */
const matchBytesMin = 4;
/** From here on copies are a call into the runtime; anything from 24 to 160 is as fast (measured). */
const longCopyMin = 64;

/**
 * Appends what the block from `start` to `end` holds.
 *
 * @param windowStart how far back in the output its matches may reach
 * @param blockBytesMax the most that one block of this frame may hold
 */
export function decompressBlock(input: Buffer, start: number, end: number, output: Output, windowStart: number, blockBytesMax: number): void {
  let position = start;
  let written = output.length;
  const writtenMax = written + blockBytesMax;
  // In variables of their own: this loop is all the time that decompressing takes.
  let bytes = output.room(0);
  while (true) {
    if (position >= end) throw damaged("a block ends without its last literals");
    const token = input[position++] ?? 0;
    let literals = token >>> 4;
    if (literals === lengthGoesOn) {
      let byte: number;
      do {
        if (position >= end) throw damaged("a block ends within a length");
        byte = input[position++] ?? 0;
        literals += byte;
      } while (byte === 0xff);
    }
    if (literals > end - position) throw damaged("a block ends within its literals");
    if (literals > writtenMax - written) throw damaged("a block holds more than its frame allows");
    if (written + literals > bytes.length) {
      output.length = written;
      bytes = output.room(written + literals);
    }
    if (literals < longCopyMin) for (let index = 0; index < literals; index++) bytes[written + index] = input[position + index] ?? 0;
    else input.copy(bytes, written, position, position + literals);
    position += literals;
    written += literals;
    if (position === end) {
      output.length = written;
      return;
    }

    if (end - position < 2) throw damaged("a block ends within an offset");
    const offset = (input[position] ?? 0) | ((input[position + 1] ?? 0) << 8);
    position += 2;
    if (offset === 0 || offset > written - windowStart) throw damaged("a match reaches back before the beginning");
    let matched = (token & 0x0f) + matchBytesMin;
    if ((token & 0x0f) === lengthGoesOn) {
      let byte: number;
      do {
        if (position >= end) throw damaged("a block ends within a length");
        byte = input[position++] ?? 0;
        matched += byte;
      } while (byte === 0xff);
    }
    if (matched > writtenMax - written) throw damaged("a block holds more than its frame allows");
    if (written + matched > bytes.length) {
      output.length = written;
      bytes = output.room(written + matched);
    }
    repeat(bytes, written, offset, matched);
    written += matched;
  }
}

/** Where the match is longer than its offset it repeats itself. */
function repeat(bytes: Buffer, at: number, offset: number, length: number): void {
  if (length < longCopyMin) {
    for (let index = 0; index < length; index++) bytes[at + index] = bytes[at + index - offset] ?? 0;
    return;
  }
  // Each copy takes all that is there of the period already: twice as much with every turn.
  const from = at - offset;
  let copied = 0;
  while (copied < length) {
    const step = Math.min(length - copied, offset + copied);
    bytes.copyWithin(at + copied, from, from + step);
    copied += step;
  }
}
