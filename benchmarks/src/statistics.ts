/** The few figures that a table needs: all take their samples in any order and leave them as they are. */

/** The middle value; between the two middle ones where their number is even. `NaN` for no samples. */
export function median(samples: readonly number[]): number {
  const sorted = ascending(samples);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  const lower = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** Lowest and highest sample: with five rounds all that can be said honestly about spread. */
export function spread(samples: readonly number[]): { readonly lowest: number; readonly highest: number } {
  const sorted = ascending(samples);
  return { lowest: sorted[0] ?? Number.NaN, highest: sorted.at(-1) ?? Number.NaN };
}

/** Nearest-rank percentile: the smallest sample that is not exceeded by `percent` of all. `NaN` for no samples. */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = ascending(samples);
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.max(rank, 1) - 1] ?? Number.NaN;
}

function ascending(samples: readonly number[]): readonly number[] {
  return [...samples].sort((a, b) => a - b);
}

/**
 * The order of one round. Contenders take turns within a round, so that a machine that slows down slows all of them, and every second round
 * runs backwards, so that none is always the one after a certain other.
 */
export function roundOrder<T>(contenders: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? contenders : contenders.toReversed();
}
