/** What a conformance case is: data, so that the same cases run in vitest, under every fault, and against faulty backends. */
import type { Capabilities } from "@halyard/core/spi";
import type { World } from "./world.ts";

export type CaseKind = "normal" | "limit" | "fault";

/** Which of the backend's actions a case of kind `fault` breaks into. */
export type FaultArea = "publish" | "receive" | "settle" | "move" | "lease" | "subscribe" | "close";

/** What the suite's options make possible beside the backend's own capabilities. */
export interface Abilities {
  readonly restartBroker: boolean;
  readonly destroyGroup: boolean;
  readonly wrongCredentials: boolean;
  /** Faults happen to bytes on a wire, not at the seam between core and backend. */
  readonly hasWire: boolean;
  /** The broker's time is the bus's clock. */
  readonly hasHostClock: boolean;
  readonly history: boolean;
  readonly hasSecrets: boolean;
  /** Lease of a subscription, milliseconds; `undefined`: the broker takes nothing back by time. */
  readonly leaseMs: number | undefined;
}

/**
 * What it means for the guarantee table that a backend is not asked a case. `gap`: something is missing, and is shown. `moot`: what the case asks about
 * cannot happen to such a backend. `moot-unless-durable`: likewise, where nothing outlives the backend's process: nobody deletes its queues behind its back, for
 * example. `ends-with-process`: it cannot outlive its process or server, which the promises excuse for a backend that is not durable.
 */
export type Absence = "gap" | "moot" | "moot-unless-durable" | "ends-with-process";

export interface ConformanceCase {
  /** Number in the list of promises. */
  readonly promise: number;
  /** A sentence; the promise's number is put before it. */
  readonly title: string;
  readonly kind: CaseKind;
  /** Only and always for `fault`. */
  readonly area?: FaultArea;
  /** Ends connections by `disconnect`, `breakOff` or `kill` instead of waiting for `strike` and `heal`. A fault that ends none is followed by a reset. */
  readonly breaksItself?: boolean;
  /** Not while another case runs: it measures the process, or touches what all share. */
  readonly isAlone?: boolean;
  /** Takes seconds even where all is well. */
  readonly isSlow?: boolean;
  /** Runs in simulated time. */
  readonly isTimed?: boolean;
  /** Asks that something is refused by backends that cannot do it: leaving it out for one that can is no gap in the guarantee table. */
  readonly asksRefusal?: boolean;
  /** Looks at connections, so `describeFaults` runs it too, once and alone: only there are they real. */
  readonly isOnWire?: boolean;
  /** For `isTimed`: the title of the case that asks the same in real time. Where that one passes, leaving this one out is no gap. */
  readonly twin?: string;
  /** Default `gap`, or `moot` for `asksRefusal`. */
  readonly absence?: Absence;
  /** Why this backend is not asked; `undefined`: it is. */
  readonly needs?: (capabilities: Capabilities, abilities: Abilities) => string | undefined;
  run(world: World): Promise<void>;
}

/** `promise 6: a retry comes back no sooner than its delay` */
export const titleOf = (one: ConformanceCase): string => `promise ${one.promise}: ${one.title}`;

/** These hold on every backend. */
export const inexcusablePromises: readonly number[] = [1, 3, 5, 6, 7, 8, 9, 11, 15, 16, 17, 18, 19, 20, 22, 23, 24];

/** For `needs`: the first reason that stands. */
export function firstReason(...reasons: readonly (readonly [isMissing: boolean, reason: string])[]): string | undefined {
  return reasons.find(([isMissing]) => isMissing)?.[1];
}
