/** Closing a bus when the process is told to end. */
import type { Logger } from "./logger.ts";

/** Calls `close` when `signal` arrives. Returns what stops listening. */
export function closeOnSignal(signal: NodeJS.Signals, logger: Logger, close: () => Promise<void>): () => void {
  const onSignal = (): void => {
    logger.info({ signal }, "Closing on a signal.");
    // Whoever closes on a signal wants to end by it: it is sent again, once drained. Who else listens had it already: another bus may still drain.
    void close().finally(() => {
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  };
  process.on(signal, onSignal);
  return () => process.removeListener(signal, onSignal);
}
