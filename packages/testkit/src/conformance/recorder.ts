/** Handlers that remember, and the sums that must come out. */
import type { HandlerContext, Message } from "@halyard/core";

export interface Seen {
  readonly message: Message;
  readonly attempt: number;
  readonly deliveries: number;
  /** Monotonic milliseconds. */
  readonly atMs: number;
}

export interface Recorder {
  readonly seen: Seen[];
  /** Most handlers that ran at once. */
  readonly runningMost: number;
  readonly handle: (message: Message, context: HandlerContext) => Promise<void>;
  readonly ids: () => readonly string[];
  readonly payloads: () => readonly unknown[];
}

/** A handler that notes each run before `act` decides about it. */
export function recorder(act?: (message: Message, context: HandlerContext) => unknown): Recorder {
  const seen: Seen[] = [];
  let running = 0;
  let runningMost = 0;
  return {
    seen,
    get runningMost() {
      return runningMost;
    },
    handle: async (message, context) => {
      seen.push({ message, attempt: context.attempt, deliveries: context.deliveries, atMs: performance.now() });
      running++;
      runningMost = Math.max(runningMost, running);
      try {
        await act?.(message, context);
      } finally {
        running--;
      }
    },
    ids: () => seen.map(({ message }) => message.id),
    payloads: () => seen.map(({ message }) => message.payload),
  };
}

/** Something that handlers wait for until a case opens it. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

/** Resolves after a while, or at once when the signal aborts. */
export function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** How often each value occurs. */
export function counted<Value>(values: Iterable<Value>): Map<Value, number> {
  const counts = new Map<Value, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** 0, 1, … `count - 1` */
export const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
