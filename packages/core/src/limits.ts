/** The bounds of one bus. Every queue, buffer and wait of core has its number here. */
import { HalyardError } from "./errors.ts";

export interface Limits {
  /** From the call of `publish` to its rejection, milliseconds. Default 30,000: longer than a leader election of a broker cluster (7 s measured). */
  readonly publishTimeoutMs: number;
  /** Messages that may wait for acceptance at once; the next publish is refused with `BACKPRESSURE`. Default 100,000. */
  readonly publishMessagesMax: number;
  /** Encoded bytes that may wait for acceptance at once. Default 256 MiB. */
  readonly publishBytesMax: number;
  /** Largest encoded body, also when decompressing. Default 16 MiB; the broker's own limit may be lower. */
  readonly bodyBytesMax: number;
  /** For one attempt to connect. Default 10,000. */
  readonly connectTimeoutMs: number;
  /** How long `createBus` tries to make the first connection. Default 30,000. */
  readonly startTimeoutMs: number;
  /** How long `close` waits for running handlers and open publishes. Default 30,000. */
  readonly closeTimeoutMs: number;
  /** For calls of the control plane (groups, dead letters, inspect, history), each step of them. Default 10,000. */
  readonly requestTimeoutMs: number;
}

export const limitDefaults: Limits = {
  publishTimeoutMs: 30_000,
  publishMessagesMax: 100_000,
  publishBytesMax: 256 * 1024 * 1024,
  bodyBytesMax: 16 * 1024 * 1024,
  connectTimeoutMs: 10_000,
  startTimeoutMs: 30_000,
  closeTimeoutMs: 30_000,
  requestTimeoutMs: 10_000,
};

/** Headers of one message together, names and values in UTF-8; below what every broker takes (amqplib throws above 64 KiB, measured). */
export const headerBytesMax = 32 * 1024;

/** @throws INVALID_OPTIONS */
export function resolveLimits(given: Partial<Limits> | undefined): Limits {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!Object.hasOwn(limitDefaults, name))
      throw new HalyardError("INVALID_OPTIONS", `limits.${name} does not exist. Known: ${Object.keys(limitDefaults).join(", ")}.`);
    if (typeof value !== "number" || !(value > 0)) throw new HalyardError("INVALID_OPTIONS", `limits.${name} must be a number above 0.`);
  }
  return { ...limitDefaults, ...given };
}
