/** The command line of the demo. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";

export const usage = `Usage: npm run demo -- [options]

A team of agents in processes of their own (a reader, a group of analysts, a reporter) reads a folder of documents
and writes a report. In the middle one analyst is killed. At the end the books are closed: nothing may be lost.

  --folder <path>      folder with documents: .md, .markdown, .mdx, .rst, .txt, also in folders below
                       (default: the installed dependencies in node_modules)
  --workers <number>   analysts, 1 to 64 (default 3)
  --backend <name>     embedded: processes of their own over a private server (default)
                       memory: the same team inside one process, where nobody can be killed
  --max-bytes <number> larger documents become dead letters, up to 16777216 (default 262144)
  --output <path>      where the report goes (default halyard-report/demo)
  --flaky <percent>    share of documents whose first attempt fails, simulated, to show retries (default 2; 0: none)
  --no-kill            kill nobody
  --help               show this

Exit status: 0 all accounted for, 1 something was lost or went wrong, 2 wrong usage, 130 interrupted.
`;

export interface DemoArguments {
  /** Absolute; `undefined`: the installed dependencies. */
  readonly folder: string | undefined;
  readonly workers: number;
  readonly backend: "memory" | "embedded";
  readonly bytesMax: number;
  /** Absolute. */
  readonly output: string;
  readonly flakyPercent: number;
  readonly kills: boolean;
}

/** What a person typed is wrong; the message says how to do it right. Exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Backends that are planned: asking for one is no misunderstanding, but it cannot be done yet. */
const laterBackends = ["amqp", "redis-streams", "nats"];

/** @throws UsageError */
export function readArguments(line: readonly string[], currentFolder: string): DemoArguments | "help" {
  const values = parse(line);
  if (values.help === true) return "help";
  return {
    folder: values.folder === undefined ? undefined : resolve(currentFolder, values.folder),
    workers: numberOf("workers", values.workers, 1, 64, 3),
    backend: backendOf(values.backend ?? "embedded"),
    bytesMax: numberOf("max-bytes", values["max-bytes"], 1, 16_777_216, 262_144),
    output: resolve(currentFolder, values.output ?? "halyard-report/demo"),
    flakyPercent: numberOf("flaky", values.flaky, 0, 100, 2),
    kills: values["no-kill"] !== true,
  };
}

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;

function parse(line: readonly string[]) {
  try {
    const options = { folder: text, workers: text, backend: text, "max-bytes": text, output: text, flaky: text, "no-kill": flag, help: flag };
    return parseArgs({ args: [...line], options, allowPositionals: false, strict: true }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? (error.message.split(". ")[0] ?? "") : String(error));
  }
}

function numberOf(name: string, given: string | undefined, min: number, max: number, otherwise: number): number {
  if (given === undefined) return otherwise;
  const value = /^\d{1,9}$/.test(given) ? Number(given) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, not "${given}"`);
}

function backendOf(name: string): "memory" | "embedded" {
  if (name === "memory" || name === "embedded") return name;
  if (laterBackends.includes(name)) throw new UsageError(`--backend ${name} is not yet in this version; use embedded or memory`);
  throw new UsageError(`--backend must be embedded or memory, not "${name}"`);
}
