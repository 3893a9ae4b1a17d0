/** The report as one page that needs nothing else: no script, no font, no image from elsewhere; light and dark as the reader's system asks. */
import { columnChart, rowChart } from "./chart.ts";
import { escapeHtml } from "./html.ts";
import { grouped } from "./ledger-table.ts";
import type { DocumentRow, Summary } from "./summary.ts";

const style = `
:root { color-scheme: light dark; --text: #1c2430; --soft: #5a6675; --page: #fff; --line: #d9dee5; --bar: #2f6fb3; --mark: #fff3d6; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --soft: #9aa7b6; --page: #14181e; --line: #303844; --bar: #69a7e8; --mark: #3d3213; } }
body { margin: 0 auto; max-width: 78rem; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); }
h1 { margin: 0 0 .25rem; line-height: 1.2; } h2 { margin-top: 2.5rem; }
.lead { color: var(--soft); overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; padding: 0; list-style: none; } .facts b { display: block; font-size: 1.6rem; line-height: 1.2; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1.5rem 2.5rem; }
figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: .5rem; } svg { width: 100%; height: auto; font: 13px system-ui, sans-serif; }
.bar { fill: var(--bar); } .label { fill: var(--text); } .value { fill: var(--soft); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); } td { overflow-wrap: anywhere; min-width: 3.5rem; }
th { position: sticky; top: 0; background: var(--page); } .number { text-align: right; font-variant-numeric: tabular-nums; }
tr.marked { background: var(--mark); } .name { min-width: 16rem; } .soft { color: var(--soft); }
`;

export function htmlReport(summary: Summary): string {
  const { documents, totals, failed, events } = summary;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What the documents say</title>
<style>${style}</style>
</head>
<body>
<h1>What the documents say</h1>
<p class="lead">${escapeHtml(summary.folder)}</p>
<ul class="facts">${facts({
    documents: grouped(documents.length),
    words: grouped(totals.words),
    "hours of reading": totals.readingHours.toFixed(1),
    links: grouped(totals.links),
    "code blocks": grouped(totals.codeBlocks),
    "not analysed": grouped(failed.length),
  })}</ul>
<ul>${events.map((event) => `<li>${escapeHtml(event)}</li>`).join("")}</ul>
<div class="charts">
${rowChart("Languages, documents", summary.languages)}
${columnChart("Lengths in words, documents", summary.lengths)}
${rowChart("Terms of many documents", summary.terms)}
${rowChart("Code blocks by language", summary.code)}
${rowChart("Linked hosts, links", summary.hosts)}
${rowChart("Scripts, share of letters", summary.scripts)}
${rowChart("Who analysed how many documents", summary.analysts)}
</div>
<h2>Documents that could not be analysed</h2>
${failedTable(summary)}
<h2>Documents</h2>
<div class="wide"><table>
<thead><tr><th>document</th><th>language</th><th class="number">words</th><th class="number">minutes</th><th class="number">letters per word</th><th class="number">words per sentence</th><th class="number">headings</th><th class="number">links</th><th class="number">code</th><th>key terms</th><th>remarks</th></tr></thead>
<tbody>
${documents.map(documentRow).join("\n")}
</tbody>
</table></div>
</body>
</html>
`;
}

function facts(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([label, value]) => `<li><b>${escapeHtml(value)}</b>${escapeHtml(label)}</li>`)
    .join("");
}

function failedTable({ failed }: Summary): string {
  if (failed.length === 0) return "<p>None.</p>";
  const rows = failed.map(
    ({ name, isDamaged, reason }) =>
      `<tr${isDamaged ? ' class="marked"' : ""}><td class="name">${escapeHtml(name)}${isDamaged ? " (damaged copy)" : ""}</td><td>${escapeHtml(reason)}</td></tr>`,
  );
  return `<div class="wide"><table><thead><tr><th>document</th><th>reason</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function documentRow(row: DocumentRow): string {
  const title = row.title === "" ? "" : `<br><span class="soft">${escapeHtml(row.title)}</span>`;
  const numbers = [
    grouped(row.words),
    row.readingMinutes.toFixed(1),
    row.wordLengthMean.toFixed(1),
    row.sentenceWordsMean.toFixed(1),
    grouped(row.headings),
    grouped(row.links),
    grouped(row.codeBlocks),
  ];
  return [
    `<tr${row.remarks === "" ? "" : ' class="marked"'}>`,
    `<td class="name">${escapeHtml(row.name)}${title}</td><td>${escapeHtml(row.language)}</td>`,
    ...numbers.map((number) => `<td class="number">${number}</td>`),
    `<td>${escapeHtml(row.keyTerms.join(", "))}</td><td>${escapeHtml(row.remarks)}</td></tr>`,
  ].join("");
}
