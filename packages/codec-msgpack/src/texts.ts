/**
 * Text out of UTF-8 bytes, strictly: bytes that are not UTF-8 are refused instead of becoming U+FFFD.
 *
 * Short texts are read in JavaScript, because a call into the runtime costs as much as a dozen characters; keys are remembered, because the messages
 * of a topic have the same keys over and over.
 */
import { isUtf8 } from "node:buffer";
import { damaged } from "./errors.ts";

/** Up to this many bytes the loop is faster than the runtime (measured). */
const shortBytesMax = 12;

/** What the runtime writes in place of bytes that are not UTF-8; it may also be in the text itself. */
const replacementCharacter = "\uFFFD";

/** The text of the bytes from `start` to `end`. @throws DECODE_FAILED */
export function readText(bytes: Buffer, start: number, end: number): string {
  if (end - start <= shortBytesMax) {
    const text = readShortAscii(bytes, start, end);
    if (text !== undefined) return text;
  }
  const text = bytes.toString("utf8", start, end);
  if (text.includes(replacementCharacter) && !isUtf8(bytes.subarray(start, end))) throw damaged("a text is not valid UTF-8");
  return text;
}

function readShortAscii(bytes: Buffer, start: number, end: number): string | undefined {
  let text = "";
  for (let index = start; index < end; index++) {
    const byte = bytes[index] ?? 0;
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Keys that are remembered: one for each slot, and only short ones, so that a stranger's keys fill 16 KB at most. */
const keySlots = 512;
const keyBytesMax = 32;

/** Reads keys; those read before are compared byte by byte and not made again. */
export class KeyCache {
  readonly #keys: (string | undefined)[] = new Array<string | undefined>(keySlots).fill(undefined);

  /** As `readText`. @throws DECODE_FAILED */
  read(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length === 0 || length > keyBytesMax) return readText(bytes, start, end);
    const slot = (length * 31 + (bytes[start] ?? 0) * 7 + (bytes[end - 1] ?? 0) * 3 + (bytes[start + (length >> 1)] ?? 0)) & (keySlots - 1);
    const known = this.#keys[slot];
    if (known !== undefined && known.length === length && isSame(known, bytes, start)) return known;
    const key = readText(bytes, start, end);
    // Only ASCII keys are remembered: for them one character is one byte.
    if (key.length === length) this.#keys[slot] = key;
    return key;
  }
}

function isSame(text: string, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) !== bytes[start + index]) return false;
  return true;
}
