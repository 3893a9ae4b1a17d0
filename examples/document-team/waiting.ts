/** Waiting that always ends: the condition holds, nothing moves any more, or somebody says stop. */
import { setTimeout as sleep } from "node:timers/promises";

export const pause = (ms: number, signal?: AbortSignal): Promise<void> => sleep(ms, undefined, signal === undefined ? {} : { signal });

export interface Patience {
  /** For the error: "the documents to be analysed". */
  readonly what: string;
  readonly signal: AbortSignal;
  /** Any value that changes while things go on. */
  readonly progress: () => unknown;
  /** What is waiting for what, for the error. */
  readonly describe: () => Promise<string>;
  /** Nothing moved for so long: it never will. */
  readonly stallMs?: number;
}

/** A minute without a single message is no slowness, even on a busy machine. */
const stallMsDefault = 60_000;
const lookEveryMs = 25;

/** Rejects with the reason of the signal, or with what is waiting when nothing has moved for `stallMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { what, signal, progress, describe, stallMs = stallMsDefault }: Patience,
): Promise<void> {
  let last = progress();
  let movedMs = performance.now();
  for (;;) {
    signal.throwIfAborted();
    if (await condition()) return;
    const now = progress();
    if (now !== last) movedMs = performance.now();
    last = now;
    if (performance.now() - movedMs > stallMs) {
      throw new Error(`Nothing moved for ${stallMs / 1_000} s while waiting for ${what}. ${await within(describe(), 5_000, "Nobody answers what is waiting")}`);
    }
    await pause(lookEveryMs, signal);
  }
}

/** Rejects when the promise has not settled in time; its late outcome is nobody's any more. */
export async function within<Value>(promise: Promise<Value>, deadlineMs: number, otherwise: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${otherwise} within ${deadlineMs / 1_000} s.`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
