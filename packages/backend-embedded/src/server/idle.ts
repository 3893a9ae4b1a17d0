/**
 * When a server that nobody started by hand ends: no client for `idleMs` and nothing waits, or no client for `waitingIdleMs` whatever waits.
 *
 * Idle time is counted in ticks of the monotonic clock, each for at most twice its length: neither a step of the wall clock nor a machine that was
 * asleep can end a server early.
 */
import type { Clock } from "@halyard/core/spi";

export interface IdlePolicy {
  /** Idle time after which a server ends that holds nothing. */
  readonly idleMs: number;
  /** Idle time after which it ends and drops what it holds. */
  readonly waitingIdleMs: number;
}

export interface IdleWatchOptions extends IdlePolicy {
  readonly clock: Clock;
  /** Connections of any kind, also those that did not say hello yet. */
  readonly connections: () => number;
  /** Messages that wait, are delayed, in flight or dead. */
  readonly held: () => number;
  /** Called once: time to go. */
  readonly onIdle: () => void;
}

const tickMsMax = 1_000;

/** Returns a function that ends the watching. */
export function watchIdle(options: IdleWatchOptions): () => void {
  const { clock, connections, idleMs, waitingIdleMs } = options;
  const tickMs = Math.max(1, Math.min(tickMsMax, idleMs / 4));
  let cancel: () => void = () => undefined;
  let lastMs = clock.monotonicMs();
  let idleForMs = 0;

  const tick = (): void => {
    const nowMs = clock.monotonicMs();
    idleForMs = connections() > 0 ? 0 : idleForMs + Math.min(nowMs - lastMs, tickMs * 2);
    lastMs = nowMs;
    if (idleForMs >= (options.held() === 0 ? idleMs : waitingIdleMs)) options.onIdle();
    else cancel = clock.after(tickMs, tick);
  };
  cancel = clock.after(tickMs, tick);
  return () => cancel();
}
