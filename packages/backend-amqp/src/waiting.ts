/** Waiting with an end. amqplib has no deadlines: a request that the broker, the network or a bad argument leaves unanswered waits for ever. */
import { type Clock, HalyardError } from "@halyard/core/spi";

/** Rejects with `TIMEOUT` when nothing came within `deadlineMs`; what comes later is ignored. */
export async function within<Value>(clock: Clock, deadlineMs: number, what: string, running: Promise<Value>): Promise<Value> {
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(deadlineMs, () => reject(new HalyardError("TIMEOUT", `${what} was not answered by RabbitMQ within ${deadlineMs} ms.`)));
  });
  running.catch(() => undefined); // may fail after its deadline, when nobody waits any more
  try {
    return await Promise.race([running, late]);
  } finally {
    cancel();
  }
}

/** Whether `running` ended, in whatever way, within `deadlineMs`. Never rejects. */
export async function endsWithin(clock: Clock, deadlineMs: number, running: Promise<unknown>): Promise<boolean> {
  let cancel: () => void = () => undefined;
  const late = new Promise<boolean>((resolve) => {
    cancel = clock.after(deadlineMs, () => resolve(false));
  });
  try {
    return await Promise.race([late, running.then(() => true, () => true)]); // biome-ignore format: the two ends
  } finally {
    cancel();
  }
}

export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}

/** Rejects with what `error` makes when `signal` aborts first. */
export async function unlessAborted<Value>(signal: AbortSignal, error: () => Error, running: Promise<Value>): Promise<Value> {
  running.catch(() => undefined); // may fail after the abort
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(error());
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([running, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
