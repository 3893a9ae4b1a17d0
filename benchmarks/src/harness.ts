/**
 * Measures a scenario in rounds. Every run is in fresh processes; contenders take turns, so that both sides of a ratio come from the same minutes
 * of the same machine; a ratio is taken round by round and its median is what counts.
 */
import type { Measurement } from "./measure.ts";
import type { Bar, Contender, Scenario } from "./scenario.ts";
import { median, roundOrder, spread } from "./statistics.ts";

/** Longest warm-up: by then the hot functions are compiled and the heap has its size. */
const warmupSecondsMax = 2;

export interface RunOptions {
  readonly rounds: number;
  /** Measured time of one run; the warm-up comes before it. */
  readonly seconds: number;
  /** Told before every run, for a progress line. */
  readonly onRun?: (text: string) => void;
}

/** One figure over all rounds. */
export interface Figure {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  /** In the order of the rounds. */
  readonly rounds: readonly number[];
}

export interface ContenderResult {
  readonly name: string;
  readonly title: string;
  readonly figures: Readonly<Record<string, Figure>>;
  /** Median processor time per message of each process, µs. */
  readonly cpuMicroseconds: Readonly<Record<string, number>>;
  /** Messages of all rounds, each handled exactly once. */
  readonly messages: number;
  /** Highest share of the machine that others took during a run. */
  readonly otherLoadHighest: number;
}

export interface BarResult {
  readonly text: string;
  readonly value: Figure;
  readonly isMet: boolean;
}

export interface ScenarioResult {
  readonly name: string;
  readonly question: string;
  readonly conditions: string;
  readonly contenders: readonly ContenderResult[];
  readonly bars: readonly BarResult[];
}

/** Measures all contenders in all rounds and judges the bars. */
export async function runScenario(scenario: Scenario, bars: readonly Bar[], options: RunOptions): Promise<ScenarioResult> {
  const { name, question, conditions } = scenario;
  const measured = new Map<Contender, Measurement[]>(scenario.contenders.map((contender) => [contender, []]));
  const warmupSeconds = Math.min(warmupSecondsMax, options.seconds);
  for (let round = 0; round < options.rounds; round++) {
    for (const contender of roundOrder(scenario.contenders, round)) {
      options.onRun?.(`${name} ${round + 1}/${options.rounds} ${contender.name}`);
      measured.get(contender)?.push(await contender.measure({ warmupSeconds, seconds: options.seconds }));
    }
  }
  const contenders = [...measured].map(([contender, runs]) => contenderResult(contender, runs));
  return { name, question, conditions, contenders, bars: bars.map((bar) => judge(bar, contenders)) };
}

/** Whether the figures of a run reach a bar. Throws where the bar names what was not measured. */
export function judge(bar: Bar, contenders: readonly ContenderResult[]): BarResult {
  const own = roundsOf(bar.of, bar.figure, contenders);
  const other = bar.over === undefined ? undefined : roundsOf(bar.over, bar.figure, contenders);
  const value = figureOf(own.map((figure, round) => figure / (other === undefined ? 1 : (other[round] ?? Number.NaN))));
  const isMet = value.median >= (bar.atLeast ?? Number.NEGATIVE_INFINITY) && value.median <= (bar.atMost ?? Number.POSITIVE_INFINITY);
  return { text: bar.text, value, isMet };
}

function roundsOf(name: string, figure: string, contenders: readonly ContenderResult[]): readonly number[] {
  const rounds = contenders.find((contender) => contender.name === name)?.figures[figure]?.rounds;
  if (rounds === undefined) throw new Error(`A bar asks for "${figure}" of "${name}", which was not measured.`);
  return rounds;
}

function contenderResult(contender: Contender, runs: readonly Measurement[]): ContenderResult {
  const figureNames = Object.keys(runs[0]?.figures ?? {});
  const partNames = Object.keys(runs[0]?.cpuMicroseconds ?? {});
  return {
    name: contender.name,
    title: contender.title,
    figures: Object.fromEntries(figureNames.map((name) => [name, figureOf(runs.map((run) => run.figures[name] ?? Number.NaN))])),
    cpuMicroseconds: Object.fromEntries(partNames.map((name) => [name, median(runs.map((run) => run.cpuMicroseconds[name] ?? Number.NaN))])),
    messages: runs.reduce((sum, run) => sum + run.messages, 0),
    otherLoadHighest: Math.max(...runs.map((run) => run.otherLoad)),
  };
}

function figureOf(rounds: readonly number[]): Figure {
  return { median: median(rounds), ...spread(rounds), rounds };
}
