/**
 * The timestamp extension of the MessagePack specification, type -1: seconds and nanoseconds since 1970, in 4, 8 or 12 bytes.
 * https://github.com/msgpack/msgpack/blob/master/spec.md#timestamp-extension-type
 */
import { damaged } from "./errors.ts";

export const timestampType = -1;

const nanosecondsMax = 999_999_999;
/** What a `Date` reaches, in seconds to both sides of 1970. */
const secondsMax = 8_640_000_000_000n;

/** What is smaller than a millisecond is cut off: a `Date` has no room for it. @throws DECODE_FAILED */
export function readTimestamp(bytes: Buffer, start: number, length: number): Date {
  if (length === 4) return new Date(bytes.readUInt32BE(start) * 1_000);
  if (length === 8) {
    const high = bytes.readUInt32BE(start);
    return dateOf((high & 3) * 2 ** 32 + bytes.readUInt32BE(start + 4), high >>> 2);
  }
  if (length !== 12) throw damaged(`a timestamp has ${length} bytes instead of 4, 8 or 12`);
  const seconds = bytes.readBigInt64BE(start + 4);
  if (seconds > secondsMax || seconds < -secondsMax) throw damaged("a timestamp lies beyond what a Date can hold");
  return dateOf(Number(seconds), bytes.readUInt32BE(start));
}

function dateOf(seconds: number, nanoseconds: number): Date {
  if (nanoseconds > nanosecondsMax) throw damaged("a timestamp has more than a second of nanoseconds");
  const date = new Date(seconds * 1_000 + Math.floor(nanoseconds / 1_000_000));
  if (Number.isNaN(date.getTime())) throw damaged("a timestamp lies beyond what a Date can hold");
  return date;
}
