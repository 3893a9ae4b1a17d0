/** Small tools for waiting on an injected clock, each of which ends when its signal aborts and leaves no timer or listener behind. */
import { setMaxListeners } from "node:events";
import type { Clock } from "./clock.ts";
import { HalyardError, textOf } from "./errors.ts";

/** Resolves after `delayMs`, or at once when `signal` aborts. Never rejects: the caller looks at the signal. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = (): void => {
      cancel();
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const cancel = clock.after(delayMs, wake);
    signal?.addEventListener("abort", wake);
  });
}

/** What `run` resolves to. After `timeoutMs` its signal aborts and the call rejects with `TIMEOUT`, whether or not `run` takes notice. */
export async function withDeadline<Value>(
  clock: Clock,
  timeoutMs: number,
  what: string,
  run: (signal: AbortSignal) => Promise<Value>,
  outer?: AbortSignal,
): Promise<Value> {
  const controller = new AbortController();
  let abort: () => void = () => undefined;
  let cancel: () => void = () => undefined;
  const cut = new Promise<never>((_, reject) => {
    const stop = (error: HalyardError): void => {
      controller.abort(error);
      reject(error);
    };
    abort = () => stop(new HalyardError("ABORTED", `${what} was aborted.`, { cause: outer?.reason }));
    cancel = clock.after(timeoutMs, () => stop(new HalyardError("TIMEOUT", `${what} took longer than ${Math.round(timeoutMs)} ms.`)));
  });
  if (outer?.aborted) abort();
  else outer?.addEventListener("abort", abort);
  try {
    const running = run(controller.signal);
    running.catch(() => undefined); // when the deadline wins, its late rejection has been answered by ours
    return await Promise.race([running, cut]);
  } finally {
    cancel();
    outer?.removeEventListener("abort", abort);
    cut.catch(() => undefined);
  }
}

/**
 * As `withDeadline`, for work in steps of which some are the caller's own: what `run` does inside `ours` does not count, and after it the
 * other side has the whole time again.
 */
export async function withStepDeadline<Value>(
  clock: Clock,
  timeoutMs: number,
  what: string,
  run: (signal: AbortSignal, ours: <Own>(step: () => Promise<Own>) => Promise<Own>) => Promise<Value>,
): Promise<Value> {
  const controller = new AbortController();
  const late = deferred<never>();
  late.promise.catch(() => undefined); // most never come
  let cancel: () => void = () => undefined;
  const watch = (): void => {
    cancel = clock.after(timeoutMs, () => {
      const error = new HalyardError("TIMEOUT", `${what}: a step took longer than ${timeoutMs} ms.`);
      controller.abort(error);
      late.reject(error);
    });
  };
  const ours = async <Own>(step: () => Promise<Own>): Promise<Own> => {
    cancel();
    try {
      return await step();
    } finally {
      if (!controller.signal.aborted) watch();
    }
  };
  watch();
  try {
    const running = run(controller.signal, ours);
    running.catch(() => undefined); // as above
    return await Promise.race([running, late.promise]);
  } finally {
    cancel();
  }
}

/** Rejects with what `error` makes as soon as `signal` aborts, whatever becomes of `work` then. */
export async function unlessAborted<Value>(signal: AbortSignal, error: () => Error, work: Promise<Value>): Promise<Value> {
  work.catch(() => undefined); // answered by the race, unless the abort was quicker
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(error());
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Whether the promise settled in time. Its rejection counts as settled: who waits like this has nobody to hand it to. */
export async function endsWithin(clock: Clock, timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
  let cancel: () => void = () => undefined;
  const late = new Promise<false>((resolve) => {
    cancel = clock.after(timeoutMs, () => resolve(false));
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  const isSettled = await Promise.race([settled, late]);
  cancel();
  return isSettled;
}

/** For a signal that many calls listen to at once: Node warns of a leak from the eleventh listener on, and here it is none. */
export function sharedAbort(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** A promise with its resolver outside; `Promise.withResolvers` is missing in Node 20. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>;
  resolve(value: Value): void;
  reject(error: unknown): void;
}

export function deferred<Value>(): Deferred<Value> {
  let resolve!: (value: Value) => void; // assigned by the executor, which runs before the constructor returns
  let reject!: (error: unknown) => void; // as above
  const promise = new Promise<Value>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Any thrown value as an `Error`, for places that must have one. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error(typeof thrown === "string" ? thrown : `A value was thrown that is not an Error: ${textOf(thrown)}`, { cause: thrown });
}
