/**
 * Runs one contender once, in fresh processes, and says what it did. A message counts when it was published, confirmed, handled and acked; what
 * happened before the warm-up was over does not count; and at the end everything that was published must have been handled exactly once.
 */
import { cpus } from "node:os";
import type { LedgerTotals } from "./ledger.ts";
import { latenciesMs } from "./pace.ts";
import { type Participant, type ParticipantOptions, startParticipant } from "./participant.ts";
import type { Mark } from "./questions.ts";
import { percentile } from "./statistics.ts";

/** How long and with what a contender is measured. */
export interface MeasureOptions {
  readonly warmupSeconds: number;
  readonly seconds: number;
  /** Where every process leaves a processor profile; undefined: not profiled. */
  readonly profileFolder?: string | undefined;
}

/** Figures of one run of one contender. */
export interface Measurement {
  /** The names are stable: they are in the result files. */
  readonly figures: Readonly<Record<string, number>>;
  /** Processor time per message in each process, user and system, µs. */
  readonly cpuMicroseconds: Readonly<Record<string, number>>;
  /** Messages of the whole run, warm-up included, all of them accounted for. */
  readonly messages: number;
  /** Share of all cores that other programs took while this was measured, 0 to 1: where it is high, the figures say little. */
  readonly otherLoad: number;
}

/** A process of a contender. `settings` is told what the processes before it said when they were ready. */
export interface PartPlan {
  readonly name: string;
  readonly part: string;
  readonly settings: (ready: Readonly<Record<string, string>>, options: MeasureOptions) => unknown;
  /** Default true; false: nothing of it runs in the process that is started here. */
  readonly isProfiled?: boolean;
}

type Figures = Omit<Measurement, "otherLoad">;

/** One process that publishes to itself and takes its own time. */
export async function measureAlone(plan: PartPlan, options: MeasureOptions): Promise<Measurement> {
  return withParts([plan], options, async ([part]) => {
    if (part === undefined) throw new Error("No process was started.");
    const result = await part.ask("run", (options.warmupSeconds + options.seconds) * 1_000);
    checkLedger(result.published, result.ledger);
    if (result.timerTicks === 0 && options.seconds >= 1) throw new Error("No timer fired during the measurement: the process was deaf to everything else.");
    const handled = handledBetween(result.from, result.to, result.from, result.to);
    return {
      figures: { perSecond: rate(handled, result.from, result.to), perCpuSecond: (handled / (result.to.cpuMs - result.from.cpuMs)) * 1_000 },
      cpuMicroseconds: { [part.name]: cpuMicroseconds(result.from, result.to, handled) },
      messages: result.published,
    };
  });
}

/** Several processes, of which the last publishes as fast as it may and the one before it consumes. */
export async function measureThroughput(plans: readonly PartPlan[], options: MeasureOptions): Promise<Measurement> {
  return withParts(plans, options, async (parts) => {
    const [consumer, publisher] = lastTwo(parts);
    await publisher.ask("go");
    await delay(options.warmupSeconds * 1_000);
    const from = await markAll(parts);
    await delay(options.seconds * 1_000);
    const to = await markAll(parts);
    const { published } = await publisher.ask("stop");
    await untilHandled(consumer, published);
    checkLedger(published, await consumer.ask("finish"));
    const [publisherFrom, publisherTo] = [markOf(from, publisher), markOf(to, publisher)];
    const [consumerFrom, consumerTo] = [markOf(from, consumer), markOf(to, consumer)];
    const handled = handledBetween(publisherFrom, publisherTo, consumerFrom, consumerTo);
    const cpu = parts.map((part) => [part.name, cpuMicroseconds(markOf(from, part), markOf(to, part), handled)] as const);
    return {
      figures: { perSecond: rate(handled, consumerFrom, consumerTo) },
      cpuMicroseconds: Object.fromEntries(cpu),
      messages: published,
    };
  });
}

/** The same processes at a fixed rate: from the moment a message was meant to be published to the moment its handler ran. */
export async function measureLatency(plans: readonly PartPlan[], perSecond: number, options: MeasureOptions): Promise<Measurement> {
  return withParts(plans, options, async (parts) => {
    const [consumer, publisher] = lastTwo(parts);
    const from = await markAll(parts);
    const result = await publisher.ask("pace", (options.warmupSeconds + options.seconds) * 1_000);
    await untilHandled(consumer, result.published);
    const to = await markAll(parts);
    checkLedger(result.published, await consumer.ask("finish"));
    const latencies = latenciesMs(result, await consumer.ask("arrivals"), Math.round(options.warmupSeconds * perSecond));
    const cpu = parts.map((part) => [part.name, cpuMicroseconds(markOf(from, part), markOf(to, part), result.published)] as const);
    return {
      figures: { p50Ms: percentile(latencies, 50), p95Ms: percentile(latencies, 95), p99Ms: percentile(latencies, 99), maxMs: percentile(latencies, 100) },
      cpuMicroseconds: Object.fromEntries(cpu),
      messages: result.published,
    };
  });
}

/** Starts the processes one after another, and leaves none behind. */
async function withParts(plans: readonly PartPlan[], options: MeasureOptions, run: (parts: readonly Participant[]) => Promise<Figures>): Promise<Measurement> {
  const parts: Participant[] = [];
  const ready: Record<string, string> = {};
  try {
    for (const plan of plans) {
      const { name, part, isProfiled = true } = plan;
      const start: ParticipantOptions = { name, part, settings: plan.settings(ready, options), profileFolder: isProfiled ? options.profileFolder : undefined };
      const participant = await startParticipant(start);
      ready[name] = participant.ready;
      parts.push(participant);
    }
    const before = machineLoad();
    const ownBefore = await markAll(parts);
    const figures = await run(parts);
    const ownAfter = await markAll(parts);
    const after = machineLoad();
    // Publisher first, server last: nobody loses its peer while it still talks to it.
    for (const part of parts.toReversed()) await part.end();
    return { ...figures, otherLoad: otherLoad(before, after, ownCpuMs(ownBefore, ownAfter)) };
  } finally {
    for (const part of parts) part.kill();
  }
}

interface MachineLoad {
  readonly busyMs: number;
  readonly allMs: number;
}

/** What all cores did since the machine started. */
function machineLoad(): MachineLoad {
  let [busyMs, allMs] = [0, 0];
  for (const { times } of cpus()) {
    const all = Object.values(times).reduce((sum, time) => sum + time, 0);
    allMs += all;
    busyMs += all - times.idle;
  }
  return { busyMs, allMs };
}

function otherLoad(before: MachineLoad, after: MachineLoad, ownMs: number): number {
  const allMs = after.allMs - before.allMs;
  // Too short for the machine's clock ticks: nothing is known.
  return allMs <= 0 ? 0 : Math.max(0, (after.busyMs - before.busyMs - ownMs) / allMs);
}

function ownCpuMs(before: ReadonlyMap<Participant, Mark>, after: ReadonlyMap<Participant, Mark>): number {
  return [...after].reduce((sum, [part, mark]) => sum + mark.cpuMs - markOf(before, part).cpuMs, 0);
}

function lastTwo(parts: readonly Participant[]): readonly [Participant, Participant] {
  const [consumer, publisher] = parts.slice(-2);
  if (consumer === undefined || publisher === undefined) throw new Error("A consumer and a publisher are needed.");
  return [consumer, publisher];
}

async function markAll(parts: readonly Participant[]): Promise<ReadonlyMap<Participant, Mark>> {
  return new Map(await Promise.all(parts.map(async (part) => [part, await part.ask("mark")] as const)));
}

function markOf(marks: ReadonlyMap<Participant, Mark>, part: Participant): Mark {
  const mark = marks.get(part);
  if (mark === undefined) throw new Error(`${part.name} was not asked.`);
  return mark;
}

/** What was both published and handled in the window: neither a backlog from before it nor one that is left after it counts. */
export function handledBetween(publisherFrom: Mark, publisherTo: Mark, consumerFrom: Mark, consumerTo: Mark): number {
  return Math.min(publisherTo.published - publisherFrom.published, consumerTo.handled - consumerFrom.handled);
}

function rate(messages: number, from: Mark, to: Mark): number {
  return (messages / (to.atMs - from.atMs)) * 1_000;
}

function cpuMicroseconds(from: Mark, to: Mark, messages: number): number {
  return ((to.cpuMs - from.cpuMs) * 1_000) / messages;
}

/** Longest wait for the consumer to come to the end of what was published. */
const drainMsMax = 60_000;

async function untilHandled(consumer: Participant, published: number): Promise<void> {
  const deadlineMs = performance.now() + drainMsMax;
  for (let mark = await consumer.ask("mark"); mark.handled < published; mark = await consumer.ask("mark")) {
    if (performance.now() > deadlineMs)
      throw new Error(`Only ${mark.handled} of ${published} messages were handled within ${drainMsMax} ms after the last one was published.`);
    await delay(20);
  }
}

/** Throws where not everything that was published was handled exactly once. */
export function checkLedger(published: number, ledger: LedgerTotals): void {
  if (ledger.handled === published && ledger.duplicates === 0 && ledger.missing === 0) return;
  throw new Error(`Published ${published}, handled ${ledger.handled}, twice ${ledger.duplicates}, missing ${ledger.missing}: this run counts for nothing.`);
}

function delay(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
