/** What the control plane of a session works with. */
import type { Host } from "@halyard/core/spi";
import type { Commands } from "./commands.ts";
import type { Settings } from "./options.ts";
import type { Scripts } from "./scripts/index.ts";

export interface Control {
  readonly commands: Commands;
  readonly scripts: Scripts;
  readonly settings: Settings;
  readonly host: Host;
  /** Aborts when the session ends. */
  readonly ended: AbortSignal;
  /** @throws CONNECTION_LOST, ABORTED */
  assertAlive(signal: AbortSignal): void;
}

/** An entry as `XRANGE` shows it. */
export type RangeEntry = readonly [id: Buffer, values: readonly Buffer[] | null];
