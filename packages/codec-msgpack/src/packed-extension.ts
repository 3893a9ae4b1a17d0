/**
 * How an extension gets into what msgpackr writes. Its `addExtension` is the only way and holds for the whole process; so nothing is registered here
 * but a class that nobody else can have, under a type that no byte can name: what other code of the process writes and reads stays as it was.
 */
import { addExtension } from "msgpackr";

/** An extension whose content has been packed. */
export class PackedExtension {
  /** 0 to 127. */
  readonly type: number;
  readonly data: Uint8Array;

  constructor(type: number, data: Uint8Array) {
    this.type = type;
    this.data = data;
  }
}

/** What msgpackr hands out: `size` bytes of its buffer, from `position` on. */
type Allocate = (size: number) => { readonly target: Uint8Array; readonly position: number };

/** Beyond a byte: never found when reading. */
const noType = 0x100;

addExtension({ Class: PackedExtension, type: noType, pack: writeExtension });

/** msgpackr's types do not know that it passes `allocate`, and that an extension which has written itself returns nothing. */
const nothing = undefined as never;

/** Writes the whole extension, header and all. */
function writeExtension(extension: PackedExtension, allocate?: Allocate): Uint8Array {
  if (allocate === undefined) throw new TypeError("This version of msgpackr does not let an extension write itself.");
  const { type, data } = extension;
  const header = headerOf(data.byteLength);
  const { target, position } = allocate(header.length + 1 + data.byteLength);
  target.set(header, position);
  target[position + header.length] = type;
  target.set(data, position + header.length + 1);
  return nothing;
}

/** The shortest header for a length; the fixed ones exist for five lengths only. */
function headerOf(length: number): Uint8Array {
  const fixed = { 1: 0xd4, 2: 0xd5, 4: 0xd6, 8: 0xd7, 16: 0xd8 }[length];
  if (fixed !== undefined) return Uint8Array.of(fixed);
  if (length < 0x100) return Uint8Array.of(0xc7, length);
  if (length < 0x10000) return Uint8Array.of(0xc8, length >>> 8, length);
  return Uint8Array.of(0xc9, length >>> 24, length >>> 16, length >>> 8, length);
}
