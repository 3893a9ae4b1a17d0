/** The launcher's own timers: real processes keep real time. */

/** Resolves after `delayMs`, or at once when the signal aborts. */
export function wait(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

/** Rejects with the text where the promise takes longer than `limitMs`. */
export async function within<Value>(limitMs: number, promise: Promise<Value>, text: string): Promise<Value> {
  const done = new AbortController();
  const late = wait(limitMs, done.signal).then(() => {
    throw new Error(`${text}: nothing within ${limitMs} ms`);
  });
  late.catch(() => undefined); // it also ends when the promise was quicker
  try {
    return await Promise.race([promise, late]);
  } finally {
    done.abort();
  }
}
