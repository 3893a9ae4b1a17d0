import { HalyardError } from "@halyard/core/spi";

/** The peer sent what the protocol does not allow. The connection ends; trying again with the same peer is pointless. */
export function violation(what: string): HalyardError {
  return new HalyardError(
    "PROTOCOL_ERROR",
    `The peer broke the embedded protocol: ${what}. Check that both sides are Halyard's embedded backend and of versions that fit.`,
  );
}
