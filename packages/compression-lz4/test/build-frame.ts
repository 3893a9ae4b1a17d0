/** LZ4 frames by hand, for what no compressor writes. Blocks are 4 MiB at most and linked. */
import { xxhash32 } from "../src/xxhash32.ts";

export interface FrameParts {
  readonly contentBytes?: bigint;
  readonly blocks: readonly { readonly packed?: Buffer; readonly stored?: Buffer }[];
  /** The first two bytes; default version 1, 4 MiB, content size where it is given. */
  readonly flags?: number;
  readonly sizes?: number;
}

export function frame(parts: FrameParts): Buffer {
  const size = Buffer.alloc(parts.contentBytes === undefined ? 0 : 8);
  if (parts.contentBytes !== undefined) size.writeBigUInt64LE(parts.contentBytes);
  const descriptor = Buffer.concat([Buffer.of(parts.flags ?? (size.length > 0 ? 0x48 : 0x40), parts.sizes ?? 0x70), size]);
  const checksum = (xxhash32(descriptor, 0, descriptor.length) >>> 8) & 0xff;
  const blocks = parts.blocks.flatMap(({ packed, stored }) => {
    const bytes = packed ?? stored ?? Buffer.alloc(0);
    return [uint32((bytes.length | (stored === undefined ? 0 : 0x80000000)) >>> 0), bytes];
  });
  return Buffer.concat([Buffer.from("04224d18", "hex"), descriptor, Buffer.of(checksum), ...blocks, uint32(0)]);
}

export function skippable(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from("5a2a4d18", "hex"), uint32(content.length), content]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
