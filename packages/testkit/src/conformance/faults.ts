/** The faults that the matrix runs every fault case under, and what can do them. */
import type { FaultProxy } from "../fault-proxy.ts";

/** What a line between a bus and its broker can suffer. A seam (no wire) knows no bytes, so it cannot be half-open or sliced. */
export type LineControls = Pick<FaultProxy, "cut" | "reset" | "resetLater" | "stall" | "resume" | "loseReplies" | "refuse" | "accept" | "heal"> &
  Partial<Pick<FaultProxy, "halfOpen" | "latency" | "slice">>;

export interface Fault {
  readonly name: string;
  readonly needsWire: boolean;
  /** Whether open sessions certainly end by it. */
  readonly endsSessions: boolean;
  /** Slows everything down and ends nothing: cases that break their connections themselves run under it from the start. */
  readonly isBackground?: boolean;
  strike(line: LineControls): void;
}

export const faults: readonly Fault[] = [
  { name: "cut", needsWire: false, endsSessions: true, strike: (line) => line.cut() },
  {
    name: "reset and refusal",
    needsWire: false,
    endsSessions: true,
    strike: (line) => {
      line.refuse();
      line.reset();
    },
  },
  { name: "lost reply", needsWire: false, endsSessions: false, strike: (line) => line.loseReplies() },
  { name: "stall", needsWire: false, endsSessions: false, strike: (line) => line.stall() },
  { name: "half-open", needsWire: true, endsSessions: true, strike: (line) => line.halfOpen?.() },
  { name: "latency", needsWire: true, endsSessions: false, isBackground: true, strike: (line) => line.latency?.(20) },
  { name: "slicer", needsWire: true, endsSessions: false, isBackground: true, strike: (line) => line.slice?.() },
];

/** What `describeBackend` runs fault cases under; the matrix runs them under all. */
export const faultDefault: Fault = faults[0] as Fault; // the list above is not empty
