/**
 * Whether Zstandard data is whole. `node:zlib` decompresses data that was cut off without an error and returns what it has (Node 22.23, also nothing at
 * all for no input), which would turn a damaged message into a shorter one. The frames of RFC 8878 section 3.1 state where they end, so walking from
 * header to header, without looking into the blocks, tells.
 */

const frameMagic = 0xfd2fb528;
/** Frames for others' data, to be skipped: sixteen magic numbers from here. */
const skippableMagic = 0x184d2a50;
const dictionaryIdBytes = [0, 1, 2, 4];
const contentSizeBytes = [0, 2, 4, 8];
const checksumBytes = 4;
const blockHeaderBytes = 3;
const runLengthBlock = 1;
const reservedBlock = 3;

/** True where the bytes are one or more frames, the last of which ends with them. */
export function isWholeZstd(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = 0;
  do {
    const next = endOfFrame(view, end);
    if (next === undefined) return false;
    end = next;
  } while (end < bytes.byteLength);
  return end === bytes.byteLength;
}

/** May lie behind the end of the bytes; `undefined` where there is no frame at all. */
function endOfFrame(view: DataView, start: number): number | undefined {
  if (start + 8 > view.byteLength) return undefined;
  const magic = view.getUint32(start, true);
  if ((magic & 0xfffffff0) >>> 0 === skippableMagic) return start + 8 + view.getUint32(start + 4, true);
  if (magic !== frameMagic) return undefined;
  const descriptor = view.getUint8(start + 4);
  const contentSizeFlag = descriptor >> 6;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const windowBytes = isSingleSegment ? 0 : 1;
  const sizeBytes = isSingleSegment && contentSizeFlag === 0 ? 1 : (contentSizeBytes[contentSizeFlag] ?? 0);
  const headerEnd = start + 5 + windowBytes + (dictionaryIdBytes[descriptor & 3] ?? 0) + sizeBytes;
  const blocksEnd = endOfBlocks(view, headerEnd);
  return blocksEnd === undefined ? undefined : blocksEnd + ((descriptor & 4) === 0 ? 0 : checksumBytes);
}

function endOfBlocks(view: DataView, start: number): number | undefined {
  let place = start;
  while (place + blockHeaderBytes <= view.byteLength) {
    const header = view.getUint16(place, true) | (view.getUint8(place + 2) << 16);
    const type = (header >> 1) & 3;
    if (type === reservedBlock) return undefined;
    place += blockHeaderBytes + (type === runLengthBlock ? 1 : header >> 3);
    if ((header & 1) === 1) return place;
  }
  return undefined;
}
