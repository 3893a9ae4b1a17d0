/** What a subscription relies on, held against what the session's broker can do. */
import { HalyardError } from "./errors.ts";
import type { Capabilities } from "./spi/capabilities.ts";
import type { ResolvedSubscribeOptions } from "./subscribe-options.ts";

/** It must be true of every session, also of one after a reconnect to another or weaker broker. @throws UNSUPPORTED */
export function demand(capabilities: Capabilities, options: ResolvedSubscribeOptions): void {
  const { exclusive, from, ordered } = options;
  if (exclusive && !capabilities.exclusive) throw unsupported("exclusive subscriptions");
  if (from === "earliest" && !capabilities.startsAt.earliest) throw unsupported('from: "earliest"');
  if (typeof from === "object" && !capabilities.startsAt.time) throw unsupported("from: { timeMs }");
  if (ordered && !capabilities.orderedTopics) throw unsupported("ordered subscriptions");
}

function unsupported(what: string): HalyardError {
  return new HalyardError("UNSUPPORTED", `This backend does not support ${what}.`);
}
