/**
 * The reporter: collects results and writes them down when asked. What it has collected lies in a file of its own before a message counts as handled, so
 * another reporter could go on where this one ended. A result that comes twice is one result.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { htmlReport } from "./report-html.ts";
import { markdownReport } from "./report-markdown.ts";
import { summarise } from "./summary.ts";
import { groups, type ReportWanted, type ReportWritten, type Result, type TeamBus } from "./topics.ts";

export async function startReporter(bus: TeamBus, { resultsPath }: { readonly resultsPath: string }): Promise<void> {
  const results = loadResults(resultsPath);
  await bus.subscribe(groups.reporters, { group: "reporters" }, async ({ topic, payload, headers, source = "" }, context) => {
    if ("analysis" in payload)
      collect({ ...payload, analyst: source, attempt: Number(headers.attempt), deliveries: Number(headers.deliveries) }, results, resultsPath);
    else if ("output" in payload) await context.publish("report.written", writeReport(payload, [...results.values()]));
    else throw new Error(`The reporter does not know what to do with ${topic}.`);
  });
}

function writeReport(wanted: ReportWanted, results: readonly Result[]): ReportWritten {
  const summary = summarise(results, wanted);
  const paths = { markdown: join(wanted.output, "report.md"), html: join(wanted.output, "report.html") };
  mkdirSync(wanted.output, { recursive: true });
  writeFileSync(paths.markdown, markdownReport(summary));
  writeFileSync(paths.html, htmlReport(summary));
  return { ...paths, documents: results.length };
}

function collect(result: Result, results: Map<string, Result>, path: string): void {
  if (results.has(result.documentId)) return;
  appendFileSync(path, `${JSON.stringify(result)}\n`);
  results.set(result.documentId, result);
}

function loadResults(path: string): Map<string, Result> {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  // What follows the last line break was being written when the reporter before this one died; its message comes again.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole.length < text.length) writeFileSync(path, whole);
  const results = whole.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Result]));
  return new Map(results.map((result) => [result.documentId, result]));
}
