/** Results as text: absolute figures with their spread, ratios beside them, and every bar with what was reached. */
import type { BarResult, ContenderResult, Figure, ScenarioResult } from "./harness.ts";
import type { Machine } from "./machine.ts";
import type { Skipped } from "./results.ts";

/** Above this share of other programs on the machine a warning stands below the table. */
const otherLoadShown = 0.1;

/** How the machine is shown above the tables. */
export function machineText({ node, platform, cpu, cores, memoryGib, jsonMicroseconds }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGib} GiB, ${platform}, Node ${node}; 256 B of JSON to bytes and back: ${jsonMicroseconds} µs`;
}

/** One scenario: question, conditions, a row a contender, a line a bar. */
export function scenarioText(result: ScenarioResult): string {
  const first = result.contenders[0];
  const rows = result.contenders.map((contender) => row(contender, first));
  const header = ["", ...Object.keys(first?.figures ?? {}).map(heading), "of halyard", "CPU µs a message"];
  const loads = result.contenders.filter(({ otherLoadHighest }) => otherLoadHighest > otherLoadShown);
  const busy = Math.round(Math.max(...loads.map(({ otherLoadHighest }) => otherLoadHighest)) * 100);
  const warning =
    loads.length === 0 ? [] : [`  ! Other programs took up to ${busy} % of this machine meanwhile: absolute figures are too low, ratios are shaky.`];
  return [
    `${result.name}: ${result.question}`,
    `  ${result.conditions}`,
    ...table([header, ...rows]).map((line) => `  ${line}`),
    ...result.contenders.map(({ name, title }) => `  ${name}: ${title}`),
    ...result.bars.map((bar) => `  ${barText(bar)}`),
    ...warning,
  ].join("\n");
}

/** One bar in one line, e.g. `met      at least 0.6 of the bare emitter: 0.71 (0.69–0.72)`. */
function barText({ text, value, isMet }: BarResult): string {
  return `${isMet ? "met    " : "NOT MET"}  ${text}: ${figureText(value)}`;
}

/** One line about a scenario that was not run. */
export function skippedText(name: string, reason: string): string {
  return `SKIPPED  ${name}: ${reason}`;
}

/** Every bar of every scenario, and what was not measured at all. */
export function summaryText(results: readonly ScenarioResult[], skipped: readonly Skipped[]): string {
  const bars = results.flatMap((result) => result.bars.map((bar) => `  ${barText(bar)} [${result.name}]`));
  return ["Summary", ...bars, ...skipped.map(({ name, reason }) => `  ${skippedText(name, reason)}`)].join("\n");
}

/** Median and spread. */
export function figureText({ median, lowest, highest }: Figure): string {
  return `${numberText(median)} (${numberText(lowest)}–${numberText(highest)})`;
}

function row(contender: ContenderResult, first: ContenderResult | undefined): readonly string[] {
  const [figureName = ""] = Object.keys(contender.figures);
  const ratio = (contender.figures[figureName]?.median ?? Number.NaN) / (first?.figures[figureName]?.median ?? Number.NaN);
  const cpu = Object.entries(contender.cpuMicroseconds).map(([name, value]) => `${name} ${value.toFixed(2)}`);
  return [contender.name, ...Object.values(contender.figures).map(figureText), `× ${ratio.toFixed(2)}`, cpu.join(", ")];
}

const headings: Readonly<Record<string, string>> = { perSecond: "messages/s", perCpuSecond: "messages/CPU s" };

/** `perSecond` → `messages/s`, `p50Ms` → `p50 ms`. */
function heading(figureName: string): string {
  return headings[figureName] ?? figureName.replace(/Ms$/, " ms");
}

function numberText(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString("en-US");
  return value < 10 ? value.toFixed(3) : value.toFixed(1);
}

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}
