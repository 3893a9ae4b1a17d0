/**
 * Topics as strings, from bytes. Programs use few topics: one that was seen before costs a comparison instead of a new string, is known to be valid,
 * and carries its hash already, which the hub's look-up by topic profits from.
 */
import { isTopic } from "@halyard/core/spi";
import { latin1At } from "./text-bytes.ts";
import { violation } from "./violation.ts";

/** Power of two. One place a hash; a second topic of the same hash takes the place. */
const placesMax = 1_024;

export class TopicCache {
  readonly #topics: (string | undefined)[] = new Array(placesMax).fill(undefined);
  #last = "";

  /** @throws PROTOCOL_ERROR where the bytes are not a topic. */
  read(bytes: Buffer, start: number, length: number): string {
    if (isSame(this.#last, bytes, start, length)) return this.#last;
    let hash = length;
    for (let index = start; index < start + length; index++) hash = (Math.imul(hash, 31) + (bytes[index] ?? 0)) | 0;
    const place = (hash ^ (hash >>> 15)) & (placesMax - 1);
    const known = this.#topics[place];
    if (known !== undefined && isSame(known, bytes, start, length)) {
      this.#last = known;
      return known;
    }
    const topic = latin1At(bytes, start, start + length);
    if (!isTopic(topic)) throw violation("a topic outside the grammar");
    this.#topics[place] = topic;
    this.#last = topic;
    return topic;
  }
}

function isSame(text: string, bytes: Buffer, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) if (text.charCodeAt(index) !== bytes[start + index]) return false;
  return true;
}
