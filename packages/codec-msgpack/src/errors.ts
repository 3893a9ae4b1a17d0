/** What is said about bytes that cannot be read and payloads that cannot be written. */
import { HalyardError } from "@halyard/core/spi";

/** Bytes that are not MessagePack, or more than allowed. */
export function damaged(what: string, cause?: unknown): HalyardError {
  return new HalyardError("DECODE_FAILED", `The body is not MessagePack that this bus reads: ${what}.`, cause === undefined ? {} : { cause });
}
