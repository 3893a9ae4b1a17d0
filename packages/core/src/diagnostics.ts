/**
 * `node:diagnostics_channel`s, so that tracing and metrics packages need no hooks in core. Messages are made only when somebody listens.
 * Channels: `halyard:publish` (start), `halyard:published` (accepted or failed), `halyard:process` (start), `halyard:processed` (end),
 * `halyard:settle`, `halyard:retry`, `halyard:dead-letter`.
 */
import { channel } from "node:diagnostics_channel";

export const channels = {
  publish: channel("halyard:publish"),
  published: channel("halyard:published"),
  process: channel("halyard:process"),
  processed: channel("halyard:processed"),
  settle: channel("halyard:settle"),
  retry: channel("halyard:retry"),
  deadLetter: channel("halyard:dead-letter"),
} as const;
