/**
 * What has been decompressed so far, in one piece, because a match may reach back 64 KiB and across blocks. It grows as bytes arrive and refuses to grow
 * past the limit, so that no more is ever allocated than was really there, twice over at most.
 */
import { tooLarge } from "./errors.ts";

/** Text becomes about a third; a better guess saves growing. */
const ratioGuess = 3;
const bytesMin = 256;

export class Output {
  #bytes: Buffer;
  readonly #bytesMax: number;
  length = 0;

  /** `inputBytes` is how much there is to decompress. */
  constructor(inputBytes: number, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(bytesMax, Math.max(bytesMin, inputBytes * ratioGuess)));
  }

  /** The bytes with room for so many in all; they are others than before where they had to grow. @throws DECODE_FAILED above the limit */
  room(wanted: number): Buffer {
    if (wanted > this.#bytes.length) this.#grow(wanted);
    return this.#bytes;
  }

  /** All of it. A copy where most of the room was not needed, so that a small body does not keep a large buffer. */
  whole(): Buffer {
    const whole = this.#bytes.subarray(0, this.length);
    return this.length * 2 < this.#bytes.length ? Buffer.from(whole) : whole;
  }

  #grow(wanted: number): void {
    if (wanted > this.#bytesMax) throw tooLarge(this.#bytesMax);
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#bytesMax, Math.max(wanted, this.#bytes.length * 2)));
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
  }
}
