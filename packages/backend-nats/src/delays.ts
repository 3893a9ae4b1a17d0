/**
 * Delays on a server that has none: messages wait in classes. Within a class delays differ by a fifth at most, so what was stored first is due first, or
 * nearly, and one consumer that reads a class in order need look at its head only. A message is never early, since its own due time is looked at; it is
 * late by the width of its class at most, when the head in front of it has longer to wait.
 */

/** Delays up to here share the first class. */
const firstClassMs = 250;
const growth = 1.2;
/** 64 classes: the last one ends at 6.7 hours. What waits longer passes through the last class several times. */
export const delayClassMax = 63;

/** Upper bound of a class's delays, milliseconds. */
export const classDelayMs = (delayClass: number): number => Math.floor(firstClassMs * growth ** delayClass);

/** The class that a delay waits in. */
export function delayClassOf(delayMs: number): number {
  if (delayMs <= firstClassMs) return 0;
  const guess = Math.ceil(Math.log(delayMs / firstClassMs) / Math.log(growth));
  // Rounding may be off by one at a bound.
  const delayClass = delayMs > classDelayMs(guess) ? guess + 1 : guess > 0 && delayMs <= classDelayMs(guess - 1) ? guess - 1 : guess;
  return Math.min(delayClassMax, delayClass);
}

/** When a message of a class is to be looked at, by the server's clock: when it is due, or has passed through the class. */
export function lookAtMs(delayClass: number, storedMs: number, dueMs: number): number {
  return Math.min(dueMs, storedMs + classDelayMs(delayClass));
}

/** What the classes make of a delay at worst. */
export const delayLateness = { ratio: growth - 1, floorMs: firstClassMs } as const;
