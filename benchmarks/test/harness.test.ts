import { expect, test } from "vitest";
import { type ContenderResult, judge, runScenario } from "../src/harness.ts";
import type { Contender, Scenario } from "../src/scenario.ts";

/** A contender whose figures are given, and that notes when it ran. */
function scripted(name: string, perSecond: readonly number[], order: string[], otherLoad = 0): Contender {
  let run = 0;
  return {
    name,
    title: name,
    measure: async () => {
      order.push(name);
      return { figures: { perSecond: perSecond[run++] ?? Number.NaN }, cpuMicroseconds: { [name]: run }, messages: 10, otherLoad };
    },
  };
}

function scenarioOf(contenders: readonly Contender[]): Scenario {
  const bars = [{ text: "half", figure: "perSecond", of: "fast", over: "slow", atLeast: 0.5 }];
  return { name: "scripted", question: "?", conditions: "", contenders, bars, gate: [] };
}

test("contenders take turns, forwards and backwards", async () => {
  const order: string[] = [];
  const scenario = scenarioOf([scripted("fast", [1, 1, 1], order), scripted("slow", [1, 1, 1], order)]);
  await runScenario(scenario, [], { rounds: 3, seconds: 1 });
  expect(order).toEqual(["fast", "slow", "slow", "fast", "fast", "slow"]);
});

test("a ratio is taken round by round and its median counts", async () => {
  const order: string[] = [];
  // The machine was twice as fast in the second round: the medians alone would say 20 / 30.
  const scenario = scenarioOf([scripted("fast", [10, 40, 20], order), scripted("slow", [15, 60, 30], order)]);
  const { bars } = await runScenario(scenario, scenario.bars, { rounds: 3, seconds: 1 });
  expect(bars[0]?.value.rounds).toEqual([10 / 15, 40 / 60, 20 / 30]);
  expect(bars[0]?.isMet).toBe(true);
});

test("figures come with median, spread and every round, and messages are added up", async () => {
  const scenario = scenarioOf([scripted("fast", [3, 1, 2], [], 0.2)]);
  const { contenders } = await runScenario(scenario, [], { rounds: 3, seconds: 1 });
  expect(contenders[0]).toMatchObject({ figures: { perSecond: { median: 2, lowest: 1, highest: 3, rounds: [3, 1, 2] } }, messages: 30, otherLoadHighest: 0.2 });
  expect(contenders[0]?.cpuMicroseconds).toEqual({ fast: 2 });
});

test("a run that fails ends the measurement", async () => {
  const failing: Contender = { name: "failing", title: "", measure: () => Promise.reject(new Error("lost a message")) };
  await expect(runScenario(scenarioOf([failing]), [], { rounds: 1, seconds: 1 })).rejects.toThrow("lost a message");
});

const measured: readonly ContenderResult[] = [
  {
    name: "one",
    title: "",
    figures: { p50Ms: { median: 2, lowest: 2, highest: 2, rounds: [2] } },
    cpuMicroseconds: {},
    messages: 1,
    otherLoadHighest: 0,
  },
];

test("a bar holds from below and from above", () => {
  const judged = (atLeast: number, atMost: number): boolean => judge({ text: "", figure: "p50Ms", of: "one", atLeast, atMost }, measured).isMet;
  expect([judged(1, 3), judged(2, 2), judged(2.1, 3), judged(1, 1.9)]).toEqual([true, true, false, false]);
});

test("a bar about something that was not measured is an error, not a miss", () => {
  expect(() => judge({ text: "", figure: "perSecond", of: "one" }, measured)).toThrow('"perSecond" of "one"');
});
