/**
 * The guarantee table of the README: what the conformance suite saw each backend keep. Every run of the suite leaves one JSON file for its
 * backend; this turns them into a table, one row for a promise and one column for a backend. Nobody writes that table by hand.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promiseTitles } from "./promises.ts";

/** What the suite leaves in `halyard-report/guarantees/<backend>.json`; it holds more, which the table does not show. */
export interface GuaranteeReport {
  /** The column's heading, as given to `describeBackend`: `memory`, `embedded`. */
  readonly backend: string;
  readonly promises: readonly PromiseResult[];
}

/** What the cases that carry one promise's number showed. */
export interface PromiseResult {
  readonly promise: number;
  readonly passed: number;
  readonly failed: number;
  /** Cases that the backend was not asked, and why: it says that it lacks an ability, or the test set-up does. */
  readonly excluded: readonly { readonly title: string; readonly reason: string }[];
}

const beginMark = "<!-- guarantees:begin -->";
const endMark = "<!-- guarantees:end -->";

/** The reports below `root`, sorted by backend. Empty when the suite did not run. */
export function readGuaranteeReports(root: string): readonly GuaranteeReport[] {
  const directory = join(root, "halyard-report/guarantees");
  if (!existsSync(directory)) return [];
  const files = readdirSync(directory).filter((name) => name.endsWith(".json"));
  const reports = files.map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")) as GuaranteeReport);
  return reports.sort((left, right) => left.backend.localeCompare(right.backend, "en"));
}

/** `text` with the table of `reports` between its marks. Throws when the marks are missing, or not there once and in order. */
export function withGuaranteeTable(text: string, reports: readonly GuaranteeReport[]): string {
  const begin = text.indexOf(beginMark);
  const end = text.indexOf(endMark);
  if (begin < 0 || end < begin || text.indexOf(beginMark, begin + 1) >= 0)
    throw new Error(`The README must hold ${beginMark} and ${endMark}, once and in this order.`);
  return `${text.slice(0, begin + beginMark.length)}\n\n${guaranteeTable(reports)}\n${text.slice(end)}`;
}

/** The table in Markdown, and below it the reasons why a backend was not asked all or part of a promise. */
export function guaranteeTable(reports: readonly GuaranteeReport[]): string {
  const reasons: string[] = [];
  const rows = [...promiseTitles].map(([number, title]) => {
    const results = reports.map((report) => report.promises.find((result) => result.promise === number));
    return [`${number}`, title, ...results.map((result) => cell(result, reasons))];
  });
  const header = ["", "promise", ...reports.map((report) => report.backend)];
  const lines = [header, header.map((_, index) => (index === 0 ? "---:" : "---")), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return [
    ...lines,
    ...(reasons.length > 0 ? ["", "A number says that some of the promise was not asked, because:", ""] : []),
    ...reasons.map((reason, index) => `${index + 1}. ${reason}`),
    "",
  ].join("\n");
}

/** The number of cases is left out on purpose: it would change the README with every case that is added. */
function cell(result: PromiseResult | undefined, reasons: string[]): string {
  if (result === undefined) return "not asked";
  if (result.failed > 0) return "**broken**";
  for (const { reason } of result.excluded) if (!reasons.includes(reason)) reasons.push(reason);
  const numbers = [...new Set(result.excluded.map(({ reason }) => reasons.indexOf(reason) + 1))].sort((left, right) => left - right);
  const note = numbers.length > 0 ? ` (${numbers.join(", ")})` : "";
  return `${result.passed > 0 ? "kept" : "not asked"}${note}`;
}
