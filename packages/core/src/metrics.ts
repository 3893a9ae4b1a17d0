/** Counters and latencies of one bus. Plain numbers that the two lines raise; a snapshot is made when somebody asks. */
import { Histogram } from "./histogram.ts";

/** Of one subscription, or of all of a bus together. */
export interface ConsumeCounters {
  /** Deliveries received from the broker, redelivered ones included. */
  received: number;
  /** Handlers that ended well. */
  handled: number;
  /** Handler runs that threw or timed out. */
  failed: number;
  /** Messages that were put back to be tried again. */
  retried: number;
  /** Deliveries that the broker had handed to somebody before. */
  redelivered: number;
  deadLettered: number;
  /** Dropped because their time to live had passed. */
  expired: number;
  /** Given back without being tried. */
  released: number;
  /** Handed back because no pattern of this member matches. */
  unmatched: number;
  /** Suppressed as repeats of a message that was handled before. */
  duplicates: number;
  /** Not settled because the lease had lapsed. */
  leasesLost: number;
  /** Settlements that came too late: the broker had taken the message back. */
  stale: number;
  /** Handler runs that were given up after `handlerTimeoutMs`. */
  timedOut: number;
  /** Messages that a live subscription missed, where the broker tells how many. */
  missed: number;
}

export const noConsumption = (): ConsumeCounters => ({
  received: 0,
  handled: 0,
  failed: 0,
  retried: 0,
  redelivered: 0,
  deadLettered: 0,
  expired: 0,
  released: 0,
  unmatched: 0,
  duplicates: 0,
  leasesLost: 0,
  stale: 0,
  timedOut: 0,
  missed: 0,
});

export function addConsumption(total: ConsumeCounters, more: ConsumeCounters): void {
  for (const name of Object.keys(more) as (keyof ConsumeCounters)[]) total[name] += more[name];
}

export interface PublishCounters {
  /** Messages that the broker accepted. */
  published: number;
  /** Publishes that were rejected. */
  publishFailed: number;
  /** Messages sent again because the outcome of the first sending was unknown. */
  publishRepeated: number;
}

/** Milliseconds, at most 5 % off. Zero where nothing was measured yet. */
export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly meanMs: number;
  readonly maxMs: number;
}

export interface MetricsSnapshot extends Readonly<PublishCounters>, Readonly<ConsumeCounters> {
  /** Sessions opened after the first one. */
  readonly reconnects: number;
  /** Publishes that wait for acceptance now. */
  readonly publishing: { readonly messages: number; readonly bytes: number };
  /** From the call of `publish` to acceptance. */
  readonly publishLatency: LatencySummary;
  /** Time in handlers, middleware included. */
  readonly handlerLatency: LatencySummary;
}

export function summary(histogram: Histogram): LatencySummary {
  return {
    count: histogram.count,
    p50Ms: histogram.percentile(50),
    p95Ms: histogram.percentile(95),
    p99Ms: histogram.percentile(99),
    meanMs: histogram.meanMs,
    maxMs: histogram.maxMs,
  };
}

export class Metrics {
  readonly publish: PublishCounters = { published: 0, publishFailed: 0, publishRepeated: 0 };
  /** Of subscriptions that are closed; the living ones hold their own. */
  readonly closedConsumption: ConsumeCounters = noConsumption();
  readonly publishLatency = new Histogram();
  readonly handlerLatency = new Histogram();

  snapshot(living: Iterable<ConsumeCounters>, reconnects: number, publishing: { readonly messages: number; readonly bytes: number }): MetricsSnapshot {
    const consumption = noConsumption();
    addConsumption(consumption, this.closedConsumption);
    for (const counters of living) addConsumption(consumption, counters);
    return {
      ...this.publish,
      ...consumption,
      reconnects,
      publishing,
      publishLatency: summary(this.publishLatency),
      handlerLatency: summary(this.handlerLatency),
    };
  }
}
