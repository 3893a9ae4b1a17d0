/** The LZ4 compressor: lz4-napi compresses, `frames.ts` decompresses. */
import { type Compressor, HalyardError } from "@halyard/core/spi";
import { compressFrameSync } from "lz4-napi";
import { decompressFrames } from "./frames.ts";

/**
 * LZ4 frames, content encoding `lz4`: made in less than half of the time that gzip takes, larger by half (figures in docs/codecs.md). Each frame
 * has a checksum of its content, so that damage is found; every LZ4 tool reads them. Give it to `createBus` in `compressors` to read it and name it in
 * `compression` to write it.
 *
 * @example
 * const bus = await createBus({ backend, compressors: [lz4()], compression: "lz4" });
 */
export function lz4(): Compressor {
  return {
    name: "lz4",
    compress(bytes) {
      try {
        return compressFrameSync(asBuffer(bytes), { contentChecksum: true });
      } catch (error) {
        throw new HalyardError("ENCODE_FAILED", `The body could not be compressed with lz4: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
    },
    decompress: (bytes, bytesMax) => decompressFrames(asBuffer(bytes), bytesMax),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
