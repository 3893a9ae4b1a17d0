/**
 * xxHash, 32 bits, seed 0: the checksum of LZ4 frames. Damage is what it finds, not intent.
 * https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
const prime1 = 0x9e3779b1;
const prime2 = 0x85ebca77;
const prime3 = 0xc2b2ae3d;
const prime4 = 0x27d4eb2f;
const prime5 = 0x165667b1;
const stripeBytes = 16;

/** Of the bytes from `start` to `end`, unsigned. */
export function xxhash32(bytes: Uint8Array, start: number, end: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = start;
  let hash = prime5;
  if (end - start >= stripeBytes) {
    let [lane1, lane2, lane3, lane4] = [(prime1 + prime2) | 0, prime2 | 0, 0, -prime1 | 0];
    for (; position <= end - stripeBytes; position += stripeBytes) {
      lane1 = round(lane1, view.getInt32(position, true));
      lane2 = round(lane2, view.getInt32(position + 4, true));
      lane3 = round(lane3, view.getInt32(position + 8, true));
      lane4 = round(lane4, view.getInt32(position + 12, true));
    }
    hash = rotated(lane1, 1) + rotated(lane2, 7) + rotated(lane3, 12) + rotated(lane4, 18);
  }
  hash = (hash + (end - start)) | 0;
  for (; position <= end - 4; position += 4) hash = Math.imul(rotated((hash + Math.imul(view.getInt32(position, true), prime3)) | 0, 17), prime4);
  for (; position < end; position++) hash = Math.imul(rotated((hash + Math.imul(view.getUint8(position), prime5)) | 0, 11), prime1);
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function round(lane: number, input: number): number {
  return Math.imul(rotated((lane + Math.imul(input, prime2)) | 0, 13), prime1);
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
