/** The report as Markdown, for readers of plain text and for diffs. */
import type { Bar } from "./chart.ts";
import { grouped } from "./ledger-table.ts";
import type { DocumentRow, Summary } from "./summary.ts";

export function markdownReport(summary: Summary): string {
  const { documents, totals, failed } = summary;
  return [
    "# What the documents say",
    "",
    `${grouped(documents.length)} documents of \`${summary.folder.replaceAll("`", "'")}\`: ${grouped(totals.words)} words in ${grouped(totals.sentences)} sentences, ${totals.readingHours.toFixed(1)} hours of reading, ${grouped(totals.links)} links, ${grouped(totals.codeBlocks)} code blocks with ${grouped(totals.codeLines)} lines.`,
    "",
    ...summary.events.map((event) => `- ${cell(event)}`),
    "",
    ...barTable("Languages", "language", "documents", summary.languages),
    ...barTable("Scripts", "script", "share of letters", summary.scripts),
    ...barTable("Lengths", "words", "documents", summary.lengths),
    ...barTable("Terms of many documents", "term", "documents", summary.terms),
    ...barTable("Code blocks", "language", "blocks", summary.code),
    ...barTable("Linked hosts", "host", "links", summary.hosts),
    ...barTable("Who analysed how many", "analyst", "documents", summary.analysts),
    "## Documents that could not be analysed",
    "",
    ...(failed.length === 0
      ? ["None."]
      : [
          "| document | reason |",
          "| --- | --- |",
          ...failed.map(({ name, isDamaged, reason }) => `| ${cell(name)}${isDamaged ? " (damaged copy)" : ""} | ${cell(reason)} |`),
        ]),
    "",
    "## Documents",
    "",
    "| document | language | words | sentences | minutes | letters/word | words/sentence | headings | links | code | key terms | remarks |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |",
    ...documents.map(documentLine),
    "",
  ].join("\n");
}

function documentLine(row: DocumentRow): string {
  const cells = [
    cell(row.name),
    row.language,
    grouped(row.words),
    grouped(row.sentences),
    row.readingMinutes.toFixed(1),
    row.wordLengthMean.toFixed(1),
    row.sentenceWordsMean.toFixed(1),
    grouped(row.headings),
    grouped(row.links),
    grouped(row.codeBlocks),
    cell(row.keyTerms.join(", ")),
    cell(row.remarks),
  ];
  return `| ${cells.join(" | ")} |`;
}

function barTable(title: string, label: string, value: string, bars: readonly Bar[]): readonly string[] {
  if (bars.length === 0) return [];
  return [
    `## ${title}`,
    "",
    `| ${label} | ${value} |`,
    "| --- | ---: |",
    ...bars.map((bar) => `| ${cell(bar.label)} | ${bar.text ?? grouped(bar.value)} |`),
    "",
  ];
}

/** Nothing in a name may end its cell, or be taken for markup. */
function cell(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}]/gu, " ").replaceAll(/[\\|`*_[\]<>]/g, "\\$&");
}
