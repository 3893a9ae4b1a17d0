/** Puts together what the suites of one backend reported: what one of them could not ask counts where another one did. */

/** What a suite leaves in `halyard-report/guarantees/<backend>.<variant>.<part>.json`. */
export interface GuaranteePart {
  /** The column's heading, as given to `describeBackend`: `memory`, `embedded`. */
  readonly backend: string;
  /** Other options of the same backend. It fills no gap of the backend itself. */
  readonly variant?: string;
  /** `direct`, `faults` or `broker-faults`. */
  readonly part: string;
  readonly durable: boolean;
  readonly promises: readonly PromiseResult[];
  /** Sums over all ledgers of the part. */
  readonly ledger?: Readonly<Record<string, number>>;
}

export interface PromiseResult {
  readonly promise: number;
  /** Titles of cases. */
  readonly passed: readonly string[];
  /** Titles of those that passed because something was refused as stated. */
  readonly refused: readonly string[];
  readonly failed: number;
  readonly excluded: readonly Exclusion[];
  readonly faults: readonly string[];
  readonly kills: number;
}

export interface Exclusion {
  readonly title: string;
  readonly reason: string;
  /** The case that asks the same in real time. */
  readonly twin?: string;
  /** It could only be asked across the end of a backend that keeps nothing. */
  readonly endsWithProcess?: true;
}

export interface Merged {
  readonly passed: Set<string>;
  readonly refused: Set<string>;
  readonly excluded: Exclusion[];
  readonly faults: Set<string>;
  failed: number;
  kills: number;
  /** A case passed while the broker itself suffered. */
  isBrokerFault: boolean;
}

export type Promises = ReadonlyMap<number, Merged>;

export interface Column {
  readonly backend: string;
  readonly durable: boolean;
  readonly parts: ReadonlySet<string>;
  readonly promises: Promises;
  readonly variants: ReadonlyMap<string, Promises>;
  /** All faults that any case of it passed under. */
  readonly faults: ReadonlySet<string>;
}

/** By name. */
export function columnsOf(parts: readonly GuaranteePart[]): readonly Column[] {
  const names = [...new Set(parts.map(({ backend }) => backend))].sort((left, right) => left.localeCompare(right, "en"));
  return names.map((backend) => {
    const own = parts.filter((part) => part.backend === backend);
    const plain = own.filter(({ variant }) => variant === undefined);
    const variants = [...new Set(own.flatMap(({ variant }) => variant ?? []))];
    return {
      backend,
      durable: plain.some(({ durable }) => durable),
      parts: new Set(plain.map(({ part }) => part)),
      promises: merged(plain),
      variants: new Map(variants.map((name) => [name, merged(own.filter(({ variant }) => variant === name))])),
      faults: new Set(plain.flatMap(({ promises }) => promises.flatMap(({ faults }) => faults))),
    };
  });
}

function merged(parts: readonly GuaranteePart[]): Promises {
  const results = new Map<number, Merged>();
  for (const { part, promises } of parts)
    for (const { promise, passed, refused, failed, excluded, faults, kills } of promises) {
      const result = results.get(promise) ?? {
        passed: new Set(),
        refused: new Set(),
        excluded: [],
        faults: new Set(),
        failed: 0,
        kills: 0,
        isBrokerFault: false,
      };
      results.set(promise, result);
      for (const title of passed) result.passed.add(title);
      for (const title of refused) result.refused.add(title);
      for (const fault of faults) result.faults.add(fault);
      result.excluded.push(...excluded);
      result.failed += failed;
      result.kills += kills;
      result.isBrokerFault ||= part === "broker-faults" && passed.length > 0;
    }
  return new Map([...results].sort(([left], [right]) => left - right));
}

const isMissing = ({ passed, refused }: Merged, { title, twin }: Exclusion): boolean =>
  !passed.has(title) && !refused.has(title) && (twin === undefined || !passed.has(twin));

/** What was asked nowhere, although it could happen to such a backend. */
export const gapsOf = (result: Merged): readonly Exclusion[] => result.excluded.filter((one) => one.endsWithProcess !== true && isMissing(result, one));

/** Whether something was not asked because nothing outlives the backend's process. */
export const isTakenByDeath = (result: Merged): boolean => result.excluded.some((one) => one.endsWithProcess === true && isMissing(result, one));
