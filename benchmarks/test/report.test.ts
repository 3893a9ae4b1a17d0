import { expect, test } from "vitest";
import type { Figure, ScenarioResult } from "../src/harness.ts";
import { type Machine, machineSlug } from "../src/machine.ts";
import { parseOptions } from "../src/options.ts";
import { scenarioText, summaryText } from "../src/report.ts";
import { resultsText } from "../src/results.ts";

const figure = (median: number): Figure => ({ median, lowest: median - 1, highest: median + 1, rounds: [median - 1, median, median + 1] });
const scenario: ScenarioResult = {
  name: "memory-json",
  question: "How fast?",
  conditions: "one process",
  contenders: [
    { name: "halyard", title: "ours", figures: { perSecond: figure(350_000) }, cpuMicroseconds: { halyard: 2.5 }, messages: 9, otherLoadHighest: 0.01 },
    { name: "emitter", title: "bare", figures: { perSecond: figure(700_000) }, cpuMicroseconds: { emitter: 1 }, messages: 9, otherLoadHighest: 0.5 },
  ],
  bars: [
    { text: "at least 350,000/s", value: figure(350_000), isMet: true },
    { text: "at least 0.6", value: figure(0.5), isMet: false },
  ],
};
const machine: Machine = { node: "v20.19.0", platform: "linux x64", cpu: "Some(R) CPU E5 @ 2.1GHz", cores: 2, memoryGib: 8, jsonMicroseconds: 1.3 };

test("a scenario is shown with figures, ratios, bars and what else the machine did", () => {
  const text = scenarioText(scenario);
  expect(text).toContain("350,000 (349,999–350,001)");
  expect(text).toContain("× 2.00");
  expect(text).toMatch(/^ {2}met {6}at least 350,000/m);
  expect(text).toMatch(/^ {2}NOT MET {2}at least 0\.6/m);
  expect(text).toContain("up to 50 %");
});

test("the summary has every bar, and what was not measured", () => {
  const text = summaryText([scenario], [{ name: "amqp-256", reason: "rabbitmq-server is not on this machine." }]);
  expect(text).toMatch(/^ {2}met {6}at least 350,000.*\[memory-json\]$/m);
  expect(text).toContain("SKIPPED  amqp-256: rabbitmq-server is not on this machine.");
});

test("a machine has a name that a file can have", () => {
  expect(machineSlug(machine)).toBe("some-e5-2-cores");
});

test("result files read back as what was written, with each list of rounds on one line", () => {
  const results = {
    date: "2026-01-02T03:04:05.000Z",
    machine,
    rounds: 3,
    seconds: 1,
    scenarios: [scenario],
    skipped: [{ name: "amqp-256", reason: "no broker" }],
  };
  expect(JSON.parse(resultsText(results))).toEqual(results);
  expect(resultsText(results)).toContain('"rounds": [349999, 350000, 350001]');
});

test("options are read, and what is wrong is refused in a sentence", () => {
  expect(parseOptions(["--only", "memory,embedded-256", "--rounds", "2"])).toMatchObject({ only: ["memory", "embedded-256"], rounds: 2, seconds: 3 });
  expect(parseOptions(["--gate"])).toMatchObject({ isGate: true, rounds: 3, seconds: 1.5 });
  expect(() => parseOptions(["--rounds", "1.5"])).toThrow("--rounds takes a whole number");
  expect(() => parseOptions(["--seconds", "0"])).toThrow("--seconds takes a number above 0");
  expect(() => parseOptions(["--fast"])).toThrow("--fast");
});
