import { describe, expect, test } from "vitest";
import type { GuaranteePart, PromiseResult } from "../src/guarantees/columns.ts";
import { guaranteeProblems, guaranteeTable, ledgerLines, readGuaranteeParts, withGuaranteeTable } from "../src/guarantees.ts";
import { inexcusablePromises } from "../src/promises.ts";
import { folder } from "./fixture.ts";

const promise = (number: number, fields: Partial<PromiseResult> = {}): PromiseResult => ({
  promise: number,
  passed: [`case of ${number}`],
  refused: [],
  failed: 0,
  excluded: [],
  faults: [],
  kills: 0,
  ...fields,
});
const part = (backend: string, name: string, promises: readonly PromiseResult[], fields: Partial<GuaranteePart> = {}): GuaranteePart => ({
  backend,
  part: name,
  durable: true,
  promises,
  ...fields,
});
const gap = { title: "a rare case", reason: "it has no such thing" };

/** The cells of one row. */
const row = (parts: readonly GuaranteePart[], number: number): readonly string[] => {
  const line = guaranteeTable(parts).split("\n").find((text) => text.startsWith(`| ${number} |`)); // biome-ignore format: one line
  return (line ?? "").split(" | ").slice(2).map((cell) => cell.replace(/ \|$/, "")); // biome-ignore format: one line
};

describe("the guarantee table", () => {
  test("has a row for a promise and a column for a backend", () => {
    const lines = guaranteeTable([part("b", "direct", [promise(1)]), part("a", "direct", [promise(1)])]).split("\n");
    expect(lines.slice(0, 2)).toEqual(["|  | promise | a | b |", "| ---: | --- | --- | --- |"]);
    expect(row([part("a", "direct", [promise(1)])], 2)).toEqual(["not asked"]);
  });

  test("says under which faults a promise was kept, and how often something was killed", () => {
    const parts = [
      part("a", "direct", [promise(18), promise(19), promise(23)]),
      part("a", "faults", [promise(18, { faults: ["cut", "stall"] }), promise(23, { faults: ["cut"] })]),
      part("a", "broker-faults", [promise(18, { kills: 4 }), promise(19)]),
    ];
    expect([18, 19, 23].map((number) => row(parts, number)[0])).toEqual(["kept · f · b4", "kept · b", "kept · f (cut)"]);
  });

  test("tells a refusal from what is kept, and names the variant that keeps it", () => {
    const refused = promise(21, { passed: [], refused: ["it says no"], excluded: [{ title: "reads", reason: "it keeps no history" }] });
    const parts = [part("a", "direct", [refused]), part("a", "direct", [promise(21)], { variant: "with history" })];
    expect(row(parts, 21)).toEqual(["refused (1); with history kept"]);
    expect(guaranteeTable(parts)).toContain("1. it keeps no history");
  });

  test("shows what could not be asked, unless another suite asked it or its twin passed", () => {
    expect(row([part("a", "direct", [promise(13, { excluded: [gap] })])], 13)).toEqual(["in part (1)"]);
    expect(row([part("a", "direct", [promise(14, { passed: [], excluded: [gap] })])], 14)).toEqual(["excused (1)"]);
    const elsewhere = [part("a", "direct", [promise(18, { excluded: [gap] })]), part("a", "faults", [promise(18, { passed: [gap.title] })])];
    expect(row(elsewhere, 18)).toEqual(["kept"]);
    expect(row([part("a", "direct", [promise(7, { passed: ["twin"], excluded: [{ ...gap, twin: "twin" }] })])], 7)).toEqual(["kept"]);
    const otherOptions = [
      part("a", "direct", [promise(13, { excluded: [gap] })]),
      part("a", "direct", [promise(13, { passed: [gap.title] })], { variant: "else" }),
    ];
    expect(row(otherOptions, 13)).toEqual(["in part (1); else kept"]);
    const noBetter = [part("a", "direct", [promise(13, { excluded: [gap] })]), part("a", "direct", [promise(13, { excluded: [gap] })], { variant: "else" })];
    expect(row(noBetter, 13)).toEqual(["in part (1)"]);
  });

  test("says what a backend that keeps nothing loses with its process", () => {
    const mortal = part("a", "direct", [promise(4, { excluded: [{ ...gap, endsWithProcess: true }] })], { durable: false });
    expect(row([mortal], 4)).toEqual(["kept (1)"]);
    expect(guaranteeTable([mortal])).toContain("1. not across its own end");
  });

  test("hides no failure, of whichever part or variant", () => {
    const failing = promise(1, { failed: 1 });
    expect(row([part("a", "direct", [promise(1)]), part("a", "faults", [failing])], 1)).toEqual(["**broken**"]);
    expect(row([part("a", "direct", [promise(1)]), part("a", "direct", [failing], { variant: "else" })], 1)).toEqual(["**broken**"]);
  });

  test("is put between the marks, and a second time changes nothing", () => {
    const parts = [part("a", "direct", [promise(1)])];
    const once = withGuaranteeTable("# A\n<!-- guarantees:begin -->\nold\n<!-- guarantees:end -->\nrest\n", parts);
    expect(once).toMatch(/^# A\n<!-- guarantees:begin -->\n\n\|[\s\S]*\n\n<!-- guarantees:end -->\nrest\n$/);
    expect(withGuaranteeTable(once, parts)).toBe(once);
    expect(() => withGuaranteeTable("# A\n", parts)).toThrow("guarantees:begin");
  });
});

describe("a guarantee table has a problem", () => {
  const whole = inexcusablePromises.map((number) => promise(number));
  const suites = (promises: readonly PromiseResult[], durable = true): readonly GuaranteePart[] =>
    ["direct", "faults", "broker-faults"].map((name) => part("a", name, promises, { durable }));

  test("where a promise that binds every backend was not asked, all of it or in part", () => {
    expect(guaranteeProblems(suites(whole))).toEqual([]);
    const without = suites(whole.filter((one) => one.promise !== 9));
    expect(guaranteeProblems(without)).toEqual(["a: no case of promise 9 passed, which binds every backend."]);
    const partly = suites(whole.map((one) => (one.promise === 11 ? { ...one, excluded: [gap] } : one)));
    expect(guaranteeProblems(partly)[0]).toBe('a: promise 11 binds every backend, but "a rare case" was not asked: it has no such thing.');
  });

  test("not where a promise depends on capabilities, or the backend ends with its process", () => {
    expect(guaranteeProblems(suites([...whole, promise(13, { excluded: [gap] })]))).toEqual([]);
    const mortal = whole.map((one) => (one.promise === 18 ? { ...one, excluded: [{ ...gap, endsWithProcess: true as const }] } : one));
    expect(guaranteeProblems(suites(mortal, false))).toEqual([]);
  });

  test("where a whole suite is missing; only what is durable has a broker that is killed", () => {
    expect(guaranteeProblems(suites(whole).slice(0, 2))).toEqual(['a: its suite "broker-faults" left no report.']);
    expect(guaranteeProblems(suites(whole, false).slice(0, 2))).toEqual([]);
  });
});

describe("the parts", () => {
  test("are read from the files that the suites left", () => {
    const root = folder({ "halyard-report/guarantees/a.direct.json": JSON.stringify(part("a", "direct", [])) });
    expect(readGuaranteeParts(root).map(({ backend }) => backend)).toEqual(["a"]);
    expect(readGuaranteeParts(folder({}))).toEqual([]);
  });

  test("tell their ledgers in a line", () => {
    const ledger = { accepted: 10, lost: 0 };
    expect(ledgerLines([part("a", "broker-faults", [promise(18, { kills: 3 })], { ledger }), part("a", "direct", [])])).toEqual([
      "a: 3 kills; accepted 10, lost 0",
    ]);
  });
});
