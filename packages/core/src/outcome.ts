/** The two outcomes without content, shared by all settlements. */
import type { Outcome } from "./spi/message.ts";

export const ack: Outcome = Object.freeze({ type: "ack" });
export const release: Outcome = Object.freeze({ type: "release" });
