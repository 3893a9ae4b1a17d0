import { describe, expect, it } from "vitest";
import { columnChart, rowChart } from "../../document-team/chart.ts";
import { htmlReport } from "../../document-team/report-html.ts";
import { markdownReport } from "../../document-team/report-markdown.ts";
import { summarise } from "../../document-team/summary.ts";
import { resultOf } from "./results.ts";

const prose = "The reader takes the folder and finds all of the documents that are in it, so that the analysts can share the work.";
const wanted = { folder: "/some/folder", failed: [{ name: "big.md", isDamaged: true, reason: "The document has 9 bytes" }], events: ["analyst-1 was killed."] };
const hostileName = `"><script>alert(1)</script>|\n\`x\`.md`;

const summary = summarise(
  [
    resultOf("b.md", `# Second\n${prose}\n[l](https://host.example/x)\n\`\`\`ts\nx\n\`\`\`\n`),
    resultOf("a.md", `# First\n${prose} ${prose}`, { analyst: "analyst-2", deliveries: 2 }),
    resultOf("copy.md", prose, { isDamaged: true, repair: "its encoding was repaired, in a copy", deliveries: 2 }),
    resultOf(hostileName, `# <img src=x onerror=alert(1)>\n${prose}`),
  ],
  wanted,
);

describe("the summary", () => {
  it("adds up what the analysts found", () => {
    expect(summary.totals).toMatchObject({ links: 1, codeBlocks: 1, codeLines: 1 });
    expect(summary.languages).toEqual([{ label: "English", value: 4 }]);
    expect(summary.analysts).toEqual([
      { label: "analyst-1", value: 3 },
      { label: "analyst-2", value: 1 },
    ]);
    expect(summary.lengths.reduce((sum, { value }) => sum + value, 0)).toBe(4);
    expect(summary.scripts[0]).toMatchObject({ label: "Latin", text: "100.0 %" });
  });

  it("is in the order of the names and marks what is unusual", () => {
    const remarks = Object.fromEntries(summary.documents.map((row) => [row.name, row.remarks]));
    expect(summary.documents.map(({ name }) => name)).toEqual([hostileName, "a.md", "b.md", "copy.md"]);
    expect(remarks["a.md"]).toBe("taken over from another analyst");
    expect(remarks["copy.md"]).toBe("damaged copy; redriven: its encoding was repaired, in a copy");
    expect(remarks["b.md"]).toBe("");
  });

  it("sums up what has no room in a chart", () => {
    const many = Array.from({ length: 30 }, (_, index) => resultOf(`${index}.md`, `\`\`\`l${index}\n\`\`\`\nx`));
    const { code } = summarise(many, wanted);
    expect(code).toHaveLength(12);
    expect(code.at(-1)).toEqual({ label: "19 others", value: 19 });
  });

  it("of nothing is empty, not broken", () => {
    const empty = summarise([], { ...wanted, failed: [] });
    expect(markdownReport(empty)).toContain("0 documents");
    expect(htmlReport(empty)).not.toContain("NaN");
  });
});

describe("the page", () => {
  const page = htmlReport(summary);

  it("lets no name or heading become markup", () => {
    expect(page).not.toContain("<script");
    expect(page).not.toContain("<img");
    expect(page).toContain("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
  });

  it("needs nothing from elsewhere and follows light and dark", () => {
    expect(page).not.toMatch(/<(?:link|script|img|iframe)|@import|url\(|\bsrc=/);
    expect(page).toContain("prefers-color-scheme: dark");
    expect(page).toContain("color-scheme: light dark");
  });

  it("has every document, what failed with its reason, and what happened", () => {
    for (const part of ["a.md", "b.md", "copy.md", "big.md (damaged copy)", "The document has 9 bytes", "analyst-1 was killed."]) expect(page).toContain(part);
  });

  it("closes every element that it opens", () => {
    const open: string[] = [];
    for (const [, isEnd, name = "", rest = ""] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)([^<>]*)>/g)) {
      if (["meta", "br"].includes(name) || rest.endsWith("/")) continue;
      if (isEnd === "/") expect(open.pop()).toBe(name);
      else open.push(name);
    }
    expect(open).toEqual([]);
  });
});

describe("the Markdown", () => {
  it("has a row a document that no name can break", () => {
    const lines = markdownReport(summary).split("\n");
    const rows = lines.slice(lines.indexOf("## Documents") + 4).filter((line) => line !== "");
    expect(rows).toHaveLength(4);
    for (const row of rows) expect(row.match(/(?<!\\)\|/g)).toHaveLength(13);
    expect(rows[0]).toContain("\\<script\\>");
  });
});

describe("a chart", () => {
  const bars = [
    { label: "half", value: 50 },
    { label: "whole", value: 100, text: "100 %" },
    { label: "none", value: 0 },
  ];

  it("draws bars in proportion, with their numbers beside them", () => {
    const chart = rowChart("Shares", bars);
    expect(Array.from(chart.matchAll(/<rect[^>]* width="([^"]+)"/g), ([, width]) => Number(width))).toEqual([180, 360, 0]);
    expect(chart).toContain(">100 %</text>");
    expect(chart).toContain('aria-label="Shares: half 50, whole 100 %, none 0"');
  });

  it("draws columns from the ground up", () => {
    const heights = Array.from(columnChart("Shares", bars).matchAll(/<rect[^>]* height="([^"]+)"/g), ([, height]) => Number(height));
    expect(heights).toEqual([65, 130, 0]);
  });

  it("has no broken numbers for no bars, zeros and values that are none", () => {
    for (const odd of [
      [],
      [{ label: "zero", value: 0 }],
      [
        { label: "odd", value: Number.NaN },
        { label: "minus", value: -5 },
      ],
    ]) {
      expect(rowChart("Odd", odd)).not.toMatch(/(?:width|height|x|y)="(?:NaN|Infinity|-)/);
      expect(columnChart("Odd", odd)).not.toMatch(/(?:width|height|x|y)="(?:NaN|Infinity|-)/);
    }
  });

  it("shortens a long label by whole characters and keeps it for those who point at it", () => {
    const chart = rowChart("Long", [{ label: "🐈".repeat(40), value: 1 }]);
    expect(chart).toContain(`>${"🐈".repeat(25)}…<title>${"🐈".repeat(40)}</title>`);
  });
});
