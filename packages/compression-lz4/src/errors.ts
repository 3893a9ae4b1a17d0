/** What is said about bytes that cannot be decompressed. */
import { HalyardError } from "@halyard/core/spi";

/** Bytes that are not LZ4 frames, or damaged ones. */
export function damaged(what: string): HalyardError {
  return new HalyardError("DECODE_FAILED", `The body is not valid lz4: ${what}.`);
}

export function tooLarge(bytesMax: number): HalyardError {
  const text = `The lz4 body holds more than ${bytesMax} bytes, the limit of this bus. Raise limits.bodyBytesMax if such bodies are meant to pass.`;
  return new HalyardError("DECODE_FAILED", text, { details: { bytesMax } });
}
