/**
 * Payloads that are handed over by reference are frozen first: neither the publisher nor one of many handlers can change what another sees.
 * What is frozen already is taken to be frozen throughout, so a payload that is published twice costs nothing the second time.
 */

/** Freezes plain objects and arrays in place, all levels; class instances, `Map`, `Date`, typed arrays stay as they are. */
export function deepFreeze(payload: unknown): unknown {
  if (!canFreeze(payload)) return payload;
  // A list instead of recursion, for nesting is the user's and may be deep; made only where there is nesting at all.
  let open = freezeLevel(payload, undefined);
  for (let current = open?.pop(); current !== undefined; current = open?.pop()) open = freezeLevel(current, open);
  return payload;
}

/** Freezes one object and adds what it holds to the list of those still to be frozen. */
function freezeLevel(holder: object, open: object[] | undefined): object[] | undefined {
  let list = open;
  for (const key in holder) {
    const value = (holder as Record<string, unknown>)[key];
    if (!canFreeze(value)) continue;
    list ??= [];
    list.push(value);
  }
  Object.freeze(holder);
  return list;
}

function canFreeze(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}
