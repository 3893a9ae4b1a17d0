/** The outcomes without content, shared by all settlements, and known by identity. */
import type { Outcome } from "./spi/message.ts";

export const ack: Outcome = Object.freeze({ type: "ack" });
/** Acked without having been handled: expired, or failed for good where nothing keeps it. */
export const drop: Outcome = Object.freeze({ type: "ack" });
export const release: Outcome = Object.freeze({ type: "release" });
