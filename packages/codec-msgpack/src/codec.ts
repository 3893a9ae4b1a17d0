/** The MessagePack codec: msgpackr writes, after a look at what it would change; `reader.ts` reads. */
import { type Codec, HalyardError, isHalyardError } from "@halyard/core/spi";
import { Packr } from "msgpackr";
import { damaged } from "./errors.ts";
import { type MsgpackOptions, resolveOptions } from "./options.ts";
import { countPlain, tooMany, writable } from "./payload.ts";
import { Reader } from "./reader.ts";
import { KeyCache } from "./texts.ts";

/**
 * MessagePack, `application/msgpack`: smaller than JSON and faster to read, with dates, bigint of 64 bits, `Uint8Array`, `Map`, `Set`, `NaN` and the
 * infinities. Give it to `createBus` in `codecs` to read it and name it in `codec` to write it.
 *
 * What it cannot carry is `ENCODE_FAILED` with its place. Bytes of strangers are read by rules that they cannot bend: `MsgpackOptions` has the bounds.
 *
 * @throws INVALID_OPTIONS
 * @example
 * const bus = await createBus({ backend, codecs: [msgpack()], codec: "msgpack" });
 */
export function msgpack(options: MsgpackOptions = {}): Codec {
  const limits = resolveOptions(options);
  // The shortest form of a map, which other implementations write too; and no hook of ours left to msgpackr's guessing.
  const packr = new Packr({ useRecords: false, variableMapSize: true, useToJSON: false });
  const watched = slabKeeper(packr);
  const pack = (value: unknown): Uint8Array => watched(packr.pack(value));
  const keys = new KeyCache();
  return {
    name: "msgpack",
    contentType: "application/msgpack",
    encode(payload) {
      try {
        const containers = countPlain(payload, limits.depthMax);
        if (containers > limits.containersMax) throw tooMany(limits.containersMax);
        return pack(containers >= 0 ? payload : writable(payload, limits, pack));
      } catch (error) {
        if (isHalyardError(error)) throw error;
        throw new HalyardError("ENCODE_FAILED", `The payload cannot be written as MessagePack: ${textOf(error)}`, { cause: error });
      }
    },
    decode(bytes) {
      const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      try {
        return new Reader(buffer, limits, keys).readWhole();
      } catch (error) {
        throw isHalyardError(error) ? error : damaged(textOf(error), error);
      }
    },
  };
}

/** msgpackr writes many bodies into one slab and keeps the largest that it ever needed; each body of it then keeps all of it alive. */
const slabBytesMax = 64 * 1024;
const slabBytes = 8 * 1024;

/** Watches the slab; once it is too large a small one takes its place. */
function slabKeeper(packr: Packr): (bytes: Buffer) => Uint8Array {
  let isDue = false;
  return (bytes) => {
    if (bytes.buffer.byteLength > slabBytesMax && !isDue) {
      isDue = true;
      // Not at once: this may be a payload within another (a getter that encodes), whose slab must not change under it.
      queueMicrotask(() => {
        isDue = false;
        packr.useBuffer(Buffer.allocUnsafeSlow(slabBytes));
      });
    }
    return bytes;
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
