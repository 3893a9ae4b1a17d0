/**
 * Payloads that are handed over by reference are frozen first: neither the publisher nor one of many handlers can change what another sees.
 * What is frozen already is taken to be frozen throughout, so a payload that is published twice costs nothing the second time.
 */

/** Freezes plain objects and arrays in place, all levels; class instances, `Map`, `Date`, typed arrays stay as they are. */
export function deepFreeze(payload: unknown): unknown {
  if (!canFreeze(payload)) return payload;
  Object.freeze(payload);
  // A list instead of recursion: nesting is the user's, and may be deep.
  const open: object[] = [payload];
  for (let current = open.pop(); current !== undefined; current = open.pop()) {
    for (const key in current) {
      const value = (current as Record<string, unknown>)[key];
      if (!canFreeze(value)) continue;
      Object.freeze(value);
      open.push(value);
    }
  }
  return payload;
}

function canFreeze(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}
