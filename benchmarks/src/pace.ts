/**
 * Publishing at a fixed rate, whether or not what was sent before has been answered (an open loop): a message that had to wait counts from the moment
 * it was meant for, so a stall shows in every message that it delayed. Between two messages the process spins through its event loop: a timer
 * would be up to a millisecond late, more than what is measured.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { machineMs, type PacedResult } from "./questions.ts";

/** Calls `send` with 0, 1, 2 … at the given rate for the given time; several in one turn where it is behind. */
export async function paced(rate: { readonly perSecond: number; readonly seconds: number }, send: (index: number) => void): Promise<PacedResult> {
  const intervalMs = 1_000 / rate.perSecond;
  const count = Math.round(rate.perSecond * rate.seconds);
  // A moment ahead, so that the first ones are not late by what came before.
  const startMs = machineMs() + 20;
  let index = 0;
  while (index < count) {
    while (index < count && startMs + index * intervalMs <= machineMs()) send(index++);
    await nextTurn();
  }
  return { startMs, intervalMs, published: count };
}

/** How long each message of an index at or above `firstIndex` took from the moment it was meant for; messages that never came are left out. */
export function latenciesMs(paced: PacedResult, arrivalsMs: readonly number[], firstIndex: number): readonly number[] {
  const latencies: number[] = [];
  for (let index = firstIndex; index < arrivalsMs.length; index++) {
    const arrivedMs = arrivalsMs[index] ?? 0;
    if (arrivedMs > 0) latencies.push(arrivedMs - (paced.startMs + index * paced.intervalMs));
  }
  return latencies;
}
