/** `npm run bench`: measures the scenarios that are asked for and shows what came of it. */
import process from "node:process";
import { type RunOptions, runScenario, type ScenarioResult } from "./harness.ts";
import { describeMachine } from "./machine.ts";
import { type CommandOptions, helpText, parseOptions } from "./options.ts";
import { profileScenario } from "./profiling.ts";
import { machineText, scenarioText, skippedText, summaryText } from "./report.ts";
import { type Results, resultsText, type Skipped, writeResults } from "./results.ts";
import type { Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios/all.ts";

/** Fewer rounds have no median worth keeping. */
const recordedRoundsMin = 3;

async function main(parameters: readonly string[]): Promise<number> {
  const options = parseOptions(parameters);
  if (options.isHelp) {
    process.stdout.write(helpText);
    return 0;
  }
  const { chosen, skipped } = present(choose(options));
  for (const { name, reason } of skipped) console.error(skippedText(name, reason));
  if (options.isProfile) {
    for (const scenario of chosen) console.log(`${await profileScenario(scenario, options)}\n`);
    return 0;
  }
  return measure(chosen, skipped, options);
}

/** Apart: those that this machine can run, and those that it cannot. */
function present(wanted: readonly Scenario[]): { readonly chosen: readonly Scenario[]; readonly skipped: readonly Skipped[] } {
  const reasons = wanted.map((scenario) => ({ scenario, reason: scenario.missing?.() }));
  return {
    chosen: reasons.flatMap(({ scenario, reason }) => (reason === undefined ? [scenario] : [])),
    skipped: reasons.flatMap(({ scenario: { name }, reason }) => (reason === undefined ? [] : [{ name, reason }])),
  };
}

function choose({ only, isGate }: CommandOptions): readonly Scenario[] {
  const unknown = only.filter((wanted) => !scenarios.some(({ name }) => name.startsWith(wanted)));
  if (unknown.length > 0) throw new Error(`There is no scenario "${unknown.join('", "')}"; there are: ${scenarios.map(({ name }) => name).join(", ")}.`);
  const named = only.length === 0 ? scenarios : scenarios.filter(({ name }) => only.some((wanted) => name.startsWith(wanted)));
  return isGate ? named.filter(({ gate }) => gate.length > 0) : named;
}

async function measure(chosen: readonly Scenario[], skipped: readonly Skipped[], options: CommandOptions): Promise<number> {
  const { rounds, seconds, isJson, isGate } = options;
  const date = new Date().toISOString();
  const machine = describeMachine();
  const say = (text: string): void => void (isJson || console.log(text));
  say(`${machineText(machine)}\n${rounds} rounds of ${seconds} s, medians (lowest–highest); ratios are taken round by round\n`);
  const results: ScenarioResult[] = [];
  for (const scenario of chosen) {
    const result = await runScenario(scenario, isGate ? scenario.gate : scenario.bars, { rounds, seconds, onRun: progress(isJson) });
    results.push(result);
    say(`${scenarioText(result)}\n`);
  }
  const all: Results = { date, machine, rounds, seconds, scenarios: results, skipped };
  if (isJson) process.stdout.write(resultsText(all));
  else if (results.length + skipped.length > 1) say(summaryText(results, skipped));
  // A part of the scenarios or a quick look must not replace the file of a whole run.
  if (results.length === scenarios.length && rounds >= recordedRoundsMin) console.error(`\nWritten to ${writeResults(all)}`);
  return isGate && results.some(({ bars }) => bars.some(({ isMet }) => !isMet)) ? 1 : 0;
}

/** One line that is written over, on a terminal only. */
function progress(isJson: boolean): NonNullable<RunOptions["onRun"]> {
  if (isJson || !process.stderr.isTTY) return () => undefined;
  return (text) => process.stderr.write(`\r\x1b[2K${text}\r`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
