import { describe, expect, test } from "vitest";
import { type GuaranteeReport, guaranteeTable, readGuaranteeReports, withGuaranteeTable } from "../src/guarantees.ts";
import { folder } from "./fixture.ts";

const memory: GuaranteeReport = {
  backend: "memory",
  promises: [
    { number: 2, title: "Order", passed: 3, failed: 0 },
    { number: 1, title: "Acceptance", passed: 2, failed: 0 },
    { number: 4, title: "Durability", passed: 0, failed: 0, excused: "What memory holds ends with its process." },
  ],
};
const broken: GuaranteeReport = { backend: "broken", promises: [{ number: 1, title: "Acceptance", passed: 2, failed: 1 }] };

describe("the guarantee table", () => {
  test("has a row for a promise, a column for a backend, and the reasons of those excused", () => {
    expect(guaranteeTable([broken, memory])).toBe(`|  | promise | broken | memory |
| ---: | --- | --- | --- |
| 1 | Acceptance | **broken** | kept |
| 2 | Order | not asked | kept |
| 4 | Durability | not asked | no (1) |

1. What memory holds ends with its process.
`);
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
