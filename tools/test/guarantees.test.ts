import { describe, expect, test } from "vitest";
import { type GuaranteeReport, guaranteeTable, readGuaranteeReports, withGuaranteeTable } from "../src/guarantees.ts";
import { folder } from "./fixture.ts";

const lacksDisk = { title: "a restart loses nothing", reason: "What memory holds ends with its process." };
const memory: GuaranteeReport = {
  backend: "memory",
  promises: [
    { promise: 2, passed: 3, failed: 0, excluded: [] },
    { promise: 1, passed: 2, failed: 0, excluded: [lacksDisk, lacksDisk] },
    { promise: 4, passed: 0, failed: 0, excluded: [lacksDisk] },
  ],
};
const broken: GuaranteeReport = { backend: "broken", promises: [{ promise: 1, passed: 2, failed: 1, excluded: [] }] };

describe("the guarantee table", () => {
  test("has a row for a promise, a column for a backend, and the reasons why something was not asked", () => {
    const lines = guaranteeTable([broken, memory]).split("\n");
    expect(lines.slice(0, 2)).toEqual(["|  | promise | broken | memory |", "| ---: | --- | --- | --- |"]);
    expect(lines.filter((line) => /^\| [124] \|/.test(line)).map((line) => line.split(" | ").slice(2).join(" | "))).toEqual([
      "**broken** | kept (1) |",
      "not asked | kept |",
      "not asked | not asked (1) |",
    ]);
    expect(lines.at(-2)).toBe("1. What memory holds ends with its process.");
  });

  test("is put between the marks, and a second time changes nothing", () => {
    const once = withGuaranteeTable("# A\n<!-- guarantees:begin -->\nold\n<!-- guarantees:end -->\nrest\n", [memory]);
    expect(once).toMatch(/^# A\n<!-- guarantees:begin -->\n\n\|[\s\S]*process\.\n\n<!-- guarantees:end -->\nrest\n$/);
    expect(withGuaranteeTable(once, [memory])).toBe(once);
  });

  test("needs its marks", () => {
    expect(() => withGuaranteeTable("# A\n", [memory])).toThrow("guarantees:begin");
  });

  test("is made from the files that the runs left, in the order of the backends", () => {
    const root = folder({ "halyard-report/guarantees/a.json": JSON.stringify(memory), "halyard-report/guarantees/b.json": JSON.stringify(broken) });
    expect(readGuaranteeReports(root).map((report) => report.backend)).toEqual(["broken", "memory"]);
    expect(readGuaranteeReports(folder({}))).toEqual([]);
  });
});
