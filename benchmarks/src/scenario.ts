/** What a scenario is made of. Each file in `scenarios/` asks one question and exports one of these. */
import type { Measurement, MeasureOptions } from "./measure.ts";

/** One way to do the work: Halyard, or something bare that does the same. */
export interface Contender {
  /** Stable: it is in the result files. */
  readonly name: string;
  /** One line for the table: what it does and does not do. */
  readonly title: string;
  readonly measure: (options: MeasureOptions) => Promise<Measurement>;
}

/** A figure that is wanted: of one contender alone, or in relation to another one of the same round. */
export interface Bar {
  readonly text: string;
  /** Name of the figure, e.g. `"perSecond"`. */
  readonly figure: string;
  readonly of: string;
  /** Divide by the figure of this contender, round by round; undefined: the figure itself. */
  readonly over?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Scenario {
  /** Name for `--only` and in result files. */
  readonly name: string;
  /** The question, with a question mark. */
  readonly question: string;
  /** Payload size, concurrency, confirmation and processes: without them a figure says nothing. */
  readonly conditions: string;
  /** The first is Halyard. All others are shown as well, whether or not a bar names them. */
  readonly contenders: readonly Contender[];
  readonly bars: readonly Bar[];
  /** Wider bars for machines that are busy with other things: only ratios, and by processor time, which others do not take away. */
  readonly gate: readonly Bar[];
  /** What this machine lacks for it, and how to get it; undefined, or no such function: nothing. */
  readonly missing?: () => string | undefined;
}
