/**
 * The guarantee table of the README: what the conformance suite saw each backend keep. Every run of the suite leaves one JSON file for its
 * backend; this turns them into a table, one row for a promise and one column for a backend. Nobody writes that table by hand.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the suite leaves in `halyard-report/guarantees/<name>.json`. */
export interface GuaranteeReport {
  /** The column's heading, as given to `describeBackend`: `memory`, `embedded`. */
  readonly backend: string;
  readonly promises: readonly PromiseResult[];
}

/** What the tests that carry one promise's number showed. */
export interface PromiseResult {
  readonly number: number;
  /** The promise in a few words. */
  readonly title: string;
  readonly passed: number;
  readonly failed: number;
  /** Why the backend is not asked, in a sentence for users: a capability that it says it lacks. */
  readonly excused?: string;
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

/** The table in Markdown, with the reasons of those that are excused below it. */
export function guaranteeTable(reports: readonly GuaranteeReport[]): string {
  const titles = new Map(reports.flatMap((report) => report.promises.map((promise) => [promise.number, promise.title] as const)));
  const reasons: string[] = [];
  const rows = [...titles]
    .sort(([left], [right]) => left - right)
    .map(([number, title]) => [
      `${number}`,
      title,
      ...reports.map((report) =>
        cell(
          report.promises.find((promise) => promise.number === number),
          reasons,
        ),
      ),
    ]);
  const header = ["", "promise", ...reports.map((report) => report.backend)];
  const lines = [header, header.map((_, index) => (index === 0 ? "---:" : "---")), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return [...lines, ...(reasons.length > 0 ? [""] : []), ...reasons.map((reason, index) => `${index + 1}. ${reason}`), ""].join("\n");
}

/** The number of tests is left out on purpose: it would change the README with every test that is added. */
function cell(promise: PromiseResult | undefined, reasons: string[]): string {
  if (promise === undefined) return "not asked";
  if (promise.failed > 0) return "**broken**";
  if (promise.excused === undefined) return promise.passed > 0 ? "kept" : "not asked";
  if (!reasons.includes(promise.excused)) reasons.push(promise.excused);
  return `${promise.passed > 0 ? "in part" : "no"} (${reasons.indexOf(promise.excused) + 1})`;
}
