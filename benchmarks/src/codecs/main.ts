/**
 * Measures the codecs with each compressor, and writes what came of it into docs/codecs.md and a file of results.
 *
 *     node benchmarks/dist/codecs/main.js [--rounds 5] [--seconds 0.1] [--write]
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeMachine, machineSlug } from "../machine.ts";
import { measureMessage } from "./measure-codecs.ts";
import { sampleMessages } from "./messages.ts";
import { codecTables, writeIntoDocument } from "./tables.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "0.1" }, write: { type: "boolean", default: false } },
});
const options = { rounds: Number(values.rounds), seconds: Number(values.seconds) };
if (!(Number.isInteger(options.rounds) && options.rounds > 0 && options.seconds > 0))
  throw new Error("--rounds takes a whole number and --seconds a number above 0.");

const date = new Date().toISOString();
const machine = describeMachine();
const results = sampleMessages.flatMap((message) => {
  process.stderr.write(`${message.title}\n`);
  return measureMessage(message, options);
});
const tables = codecTables(results, machine, date);
console.log(tables);
if (values.write) {
  const inRepository = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
  const file = `benchmarks/results/codecs-${date.slice(0, 10)}-${machineSlug(machine)}.json`;
  writeFileSync(inRepository(file), `${JSON.stringify({ date, machine, ...options, results }, undefined, 2)}\n`);
  writeIntoDocument(inRepository("docs/codecs.md"), tables);
  console.error(`\nWritten to ${file} and docs/codecs.md`);
}
