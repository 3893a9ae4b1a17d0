/** The results as tables of a document, and their place in it. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Machine } from "../machine.ts";
import type { CodecResult } from "./measure-codecs.ts";
import { sampleMessages } from "./messages.ts";

const begin = "<!-- codec figures begin: written by the benchmark, see below -->";
const end = "<!-- codec figures end -->";

/** One table a message; times are medians. */
export function codecTables(results: readonly CodecResult[], machine: Machine, date: string): string {
  const { cpu, cores, node } = machine;
  const heading = `Measured ${date.slice(0, 10)} on ${cpu}, ${cores} cores, Node ${node.replace("v", "")}: medians of processor time for one message.`;
  return [
    heading,
    ...sampleMessages.map(({ name, title }) =>
      tableOf(
        title,
        results.filter(({ message }) => message === name),
      ),
    ),
  ].join("\n\n");
}

function tableOf(title: string, results: readonly CodecResult[]): string {
  const plain = results[0]?.bytes ?? Number.NaN;
  const rows = results.map(
    ({ codec, compression, bytes, encodeMicroseconds, decodeMicroseconds }) =>
      `| ${codec} | ${compression} | ${bytes.toLocaleString("en")} | ${Math.round((bytes / plain) * 100)} % | ${microseconds(encodeMicroseconds.median)} | ${microseconds(decodeMicroseconds.median)} |`,
  );
  return [`**${title}**`, "", "| codec | compression | bytes | of JSON | encode µs | decode µs |", "| --- | --- | --: | --: | --: | --: |", ...rows].join("\n");
}

function microseconds(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

/** Puts the tables into the document between its marks. Throws where they are missing. */
export function writeIntoDocument(path: string, tables: string): void {
  const text = readFileSync(path, "utf8");
  const [start, stop] = [text.indexOf(begin), text.indexOf(end)];
  if (start < 0 || stop < start) throw new Error(`${path} has no place for the figures: it needs the lines "${begin}" and "${end}".`);
  writeFileSync(path, `${text.slice(0, start + begin.length)}\n\n${tables}\n\n${text.slice(stop)}`);
}
