import { HalyardError } from "@halyard/core/spi";
import type { HistoryLimits } from "./hub/history.ts";
import type { HubSettings } from "./hub/state.ts";

/** How `memory()` behaves and how much it may hold. All bounds are per namespace. */
export interface MemoryOptions {
  /**
   * `"wire"` (default): payloads go through the codec, as with a broker; what passes here passes in production.
   * `"reference"`: frozen payloads are handed over by reference, without a codec; faster.
   */
  readonly fidelity?: "wire" | "reference";
  /** Most copies that wait, are delayed, in flight or dead, over all groups. Above it a publish is refused with `BACKPRESSURE`. Default 1,000,000. */
  readonly messagesMax?: number;
  /** Most bytes of their bodies and headers, each group's copy counted. Payloads by reference count for nothing. Default 512 MiB. */
  readonly bytesMax?: number;
  /** Largest encoded body; never above `bytesMax`. Default 16 MiB. */
  readonly bodyBytesMax?: number;
  /** How long a repeated id on one topic is recognised, milliseconds; it may be an eighth longer. 0: never. Default 60,000. */
  readonly dedupMs?: number;
  /** Most ids remembered for that, 8 to 24 bytes each. Above it a publish is refused with `BACKPRESSURE`. Default 16,777,216. */
  readonly dedupIdsMax?: number;
  /** The last messages of the namespace, for `bus.history` and groups that start earlier. Default `{ messagesMax: 1_000, bytesMax: 16 MiB }`; the oldest go first. */
  readonly history?: false | { readonly messagesMax?: number; readonly bytesMax?: number };
  /** A delivery that is neither settled nor extended for so long goes back to its group, milliseconds. Default: none, since a consumer in this process cannot vanish alone. */
  readonly leaseMs?: number;
}

export interface MemorySettings extends HubSettings {
  readonly carriesValues: boolean;
}

const mebibyte = 1_048_576;
const historyDefault: HistoryLimits = { messagesMax: 1_000, bytesMax: 16 * mebibyte };
const names: ReadonlySet<string> = new Set<keyof MemoryOptions>([
  "fidelity",
  "messagesMax",
  "bytesMax",
  "bodyBytesMax",
  "dedupMs",
  "dedupIdsMax",
  "history",
  "leaseMs",
]);

/** @throws INVALID_OPTIONS */
export function settingsOf(options: MemoryOptions): MemorySettings {
  assertNames("memory()", options, names);
  const { fidelity = "wire", leaseMs } = options;
  if (fidelity !== "wire" && fidelity !== "reference") throw invalid("fidelity", `is ${JSON.stringify(fidelity)}: use "wire" or "reference"`);
  const bytesMax = whole("bytesMax", options.bytesMax ?? 512 * mebibyte, 1);
  return {
    carriesValues: fidelity === "reference",
    messagesMax: whole("messagesMax", options.messagesMax ?? 1_000_000, 1),
    bytesMax,
    bodyBytesMax: Math.min(bytesMax, whole("bodyBytesMax", options.bodyBytesMax ?? 16 * mebibyte, 1)),
    dedupMs: whole("dedupMs", options.dedupMs ?? 60_000, 0),
    dedupIdsMax: whole("dedupIdsMax", options.dedupIdsMax ?? 16_777_216, 1),
    history: historyOf(options.history),
    leaseMs: leaseMs === undefined ? undefined : whole("leaseMs", leaseMs, 1),
  };
}

function historyOf(history: MemoryOptions["history"]): false | HistoryLimits {
  if (history === undefined) return historyDefault;
  if (history === false) return false;
  assertNames("history", history, new Set(["messagesMax", "bytesMax"]));
  return {
    messagesMax: whole("history.messagesMax", history.messagesMax ?? historyDefault.messagesMax, 1),
    bytesMax: whole("history.bytesMax", history.bytesMax ?? historyDefault.bytesMax, 1),
  };
}

/** A misspelt option would silently leave a bound at its default. */
function assertNames(where: string, options: unknown, known: ReadonlySet<string>): void {
  if (typeof options !== "object" || options === null) throw invalid(where, "takes an object of options");
  for (const name of Object.keys(options)) if (!known.has(name)) throw invalid(name, `is not an option of ${where}: use ${[...known].join(", ")}`);
}

function whole(name: string, value: unknown, min: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min) return value;
  throw invalid(name, `is ${String(value)}: use a whole number of at least ${min}`);
}

const invalid = (name: string, text: string): HalyardError => new HalyardError("INVALID_OPTIONS", `${name} ${text}.`, { details: { option: name } });
