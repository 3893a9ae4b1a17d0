/**
 * The guarantee table of the README: what the suites of the testkit saw each backend keep. Each suite leaves one JSON file for its part; this puts the parts of
 * one backend together and makes a table of them, one row for a promise and one column for a backend. Nobody writes that table by hand.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Column, columnsOf, type GuaranteePart, gapsOf, isTakenByDeath, type Merged, type Promises } from "./guarantees/columns.ts";
import { inexcusablePromises, promiseTitles } from "./promises.ts";

const beginMark = "<!-- guarantees:begin -->";
const endMark = "<!-- guarantees:end -->";
const deathReason = "not across its own end: it keeps nothing on disk, and is excused from that";

/** The parts below `root`, in the order of their files. Empty when the suites did not run. */
export function readGuaranteeParts(root: string): readonly GuaranteePart[] {
  const directory = join(root, "halyard-report/guarantees");
  if (!existsSync(directory)) return [];
  const files = readdirSync(directory).filter((name) => name.endsWith(".json"));
  return files.sort().map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")) as GuaranteePart);
}

/** `text` with the table of `parts` between its marks. Throws when the marks are missing, or not there once and in order. */
export function withGuaranteeTable(text: string, parts: readonly GuaranteePart[]): string {
  const begin = text.indexOf(beginMark);
  const end = text.indexOf(endMark);
  if (begin < 0 || end < begin || text.indexOf(beginMark, begin + 1) >= 0)
    throw new Error(`The README must hold ${beginMark} and ${endMark}, once and in this order.`);
  return `${text.slice(0, begin + beginMark.length)}\n\n${guaranteeTable(parts)}\n${text.slice(end)}`;
}

/** What no table may show: a backend that was not asked a promise which binds all, or one that a whole suite is missing of. */
export function guaranteeProblems(parts: readonly GuaranteePart[]): readonly string[] {
  return columnsOf(parts).flatMap((column) => {
    const { backend, durable, promises } = column;
    const expected = durable ? ["direct", "faults", "broker-faults"] : ["direct", "faults"];
    const missing = expected.filter((part) => !column.parts.has(part)).map((part) => `${backend}: its suite "${part}" left no report.`);
    const gaps = inexcusablePromises.flatMap((number) => {
      const result = promises.get(number);
      if (result === undefined || result.passed.size === 0) return [`${backend}: no case of promise ${number} passed, which binds every backend.`];
      return gapsOf(result).map(({ title, reason }) => `${backend}: promise ${number} binds every backend, but "${title}" was not asked: ${reason}.`);
    });
    return [...missing, ...gaps];
  });
}

/** What the ledgers of the broker faults counted, one line for a backend. Differs from run to run, so it is not part of the table. */
export function ledgerLines(parts: readonly GuaranteePart[]): readonly string[] {
  return parts.flatMap(({ backend, ledger, promises }) => {
    if (ledger === undefined) return [];
    const kills = promises.reduce((sum, result) => sum + result.kills, 0);
    return [`${backend}: ${kills} kills; ${Object.entries(ledger).map(([name, count]) => `${name} ${count}`).join(", ")}`]; // biome-ignore format: one line
  });
}

/** The table in Markdown, and below it how to read it. */
export function guaranteeTable(parts: readonly GuaranteePart[]): string {
  const columns = columnsOf(parts);
  const reasons: string[] = [];
  const rows = [...promiseTitles].map(([number, title]) => [`${number}`, title, ...columns.map((column) => cell(column, number, reasons))]);
  const header = ["", "promise", ...columns.map(({ backend }) => backend)];
  const lines = [header, header.map((_, index) => (index === 0 ? "---:" : "---")), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  const notes = reasons.map((reason, index) => `${index + 1}. ${reason}`);
  return [...lines, "", ...legend(columns), ...(notes.length > 0 ? ["", "Notes:", "", ...notes] : []), ""].join("\n");
}

/** The number of cases is left out on purpose: it would change the README with every case that is added. */
function cell(column: Column, number: number, reasons: string[]): string {
  const result = column.promises.get(number);
  const variants = [...column.variants].flatMap(([name, promises]) => {
    const other = promises.get(number);
    return other === undefined ? [] : [{ name, result: other }];
  });
  if ([result, ...variants.map((variant) => variant.result)].some((one) => (one?.failed ?? 0) > 0)) return "**broken**";
  if (result === undefined) return "not asked";
  const word = wordFor(result);
  const faults = [...result.faults];
  const isWholeMatrix = faults.length === column.faults.size;
  const marks = [
    ...(faults.length > 0 ? [isWholeMatrix ? "f" : `f (${faults.join(", ")})`] : []),
    ...(result.isBrokerFault ? [result.kills > 0 ? `b${result.kills}` : "b"] : []),
  ];
  const elsewhere = variants.filter((variant) => variant.result.passed.size > 0 && rankOf(wordFor(variant.result)) > rankOf(word));
  return [
    `${[word, ...marks].join(" · ")}${numbersOf(result, reasons)}`,
    ...elsewhere.map(({ name, result: other }) => `${name} ${wordFor(other)}${numbersOf(other, reasons)}`),
  ].join("; ");
}

function wordFor(result: Merged): "kept" | "in part" | "refused" | "excused" | "not asked" {
  const gaps = gapsOf(result).length;
  if (result.passed.size > 0) return gaps > 0 ? "in part" : "kept";
  if (result.refused.size > 0) return "refused";
  return gaps > 0 ? "excused" : "not asked";
}

/** More is better. */
const rankOf = (word: ReturnType<typeof wordFor>): number => (word === "kept" ? 2 : word === "in part" ? 1 : 0);

function numbersOf(result: Merged, reasons: string[]): string {
  const own = [...gapsOf(result).map(({ reason }) => reason), ...(isTakenByDeath(result) ? [deathReason] : [])];
  for (const reason of own) if (!reasons.includes(reason)) reasons.push(reason);
  const numbers = [...new Set(own.map((reason) => reasons.indexOf(reason) + 1))].sort((left, right) => left - right);
  return numbers.length > 0 ? ` (${numbers.join(", ")})` : "";
}

function legend(columns: readonly Column[]): readonly string[] {
  const all = columns.reduce<ReadonlySet<string>>((most, { faults }) => (faults.size > most.size ? faults : most), new Set());
  const fewer = columns.filter(({ faults }) => faults.size > 0 && faults.size < all.size);
  const without = fewer.map(({ backend, faults }) => `${backend}, which has no wire, without ${[...all].filter((fault) => !faults.has(fault)).join(", ")}`);
  const hasBrokerFaults = columns.some(({ parts }) => parts.has("broker-faults"));
  const variants = columns.flatMap(({ backend, variants: others }) => [...others].map(([name, promises]) => `${backend} ${name}${asked(promises)}`));
  const words = [
    "**kept**: every case of the promise passed; **in part**: the others could not be asked, for the reason in the note",
    "**refused**: it cannot, says so in its capabilities, and the call is `UNSUPPORTED`; **excused**: no case could be asked",
    ...(all.size > 0 ? [`**f**: also while the connection suffers ${[...all].join(", ")}${without.length > 0 ? ` (${without.join("; ")})` : ""}`] : []),
    ...(hasBrokerFaults
      ? [
          "**b**: also on a broker that restarts, stands still, runs out of room or loses a queue, with a ledger of what was accepted; **b3**: three times a broker or a consumer was killed with `kill -9` meanwhile",
        ]
      : []),
    ...(variants.length > 0 ? [`Also run: ${variants.join("; ")}`] : []),
  ];
  return words.map((line) => `- ${line}`);
}

const asked = (promises: Promises): string => (promises.size >= promiseTitles.size ? "" : ` (${[...promises.keys()].join(", ")})`);
