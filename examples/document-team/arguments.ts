/** The command line of the demo. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type BackendName, backendNames, backends } from "./backends.ts";
import { UsageError } from "./usage-error.ts";

/** As wide as the column of the options in the help. */
const indent = " ".repeat(23);

export const usage = `Usage: npm run demo -- [options]

A team of agents in processes of their own (a reader, a group of analysts, a reporter) reads a folder of documents
and writes a report. In the middle one analyst is killed. At the end the books are closed: nothing may be lost.

  --folder <path>      folder with documents: .md, .markdown, .mdx, .rst, .txt, also in folders below
                       (default: the installed dependencies in node_modules)
  --workers <number>   analysts, 1 to 64 (default 3)
  --backend <name>     ${backendHelp()}
  --url <url>          a broker that runs already, for --backend ${listed(brokerNames())}; without it
                       the installed one is started, with temporary data. What the demo needs there is made under
                       the name document-team, and emptied at the end
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
  readonly backend: BackendName;
  /** Of a broker that runs already; `undefined`: one is started. May hold a password. */
  readonly url: string | undefined;
  readonly bytesMax: number;
  /** Absolute. */
  readonly output: string;
  readonly flakyPercent: number;
  readonly kills: boolean;
}

/** @throws UsageError */
export function readArguments(line: readonly string[], currentFolder: string): DemoArguments | "help" {
  const values = parse(line);
  if (values.help === true) return "help";
  const backend = backendOf(values.backend ?? backendNames[0]);
  return {
    folder: values.folder === undefined ? undefined : resolve(currentFolder, values.folder),
    workers: numberOf("workers", values.workers, 1, 64, 3),
    backend,
    url: values.url === undefined ? undefined : urlFor(backend, values.url),
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
    const options = { folder: text, workers: text, backend: text, url: text, "max-bytes": text, output: text, flaky: text, "no-kill": flag, help: flag };
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

function backendOf(name: string): BackendName {
  const known = backendNames.find((backend) => backend === name);
  if (known !== undefined) return known;
  throw new UsageError(`--backend must be ${listed(backendNames)}, not "${name}"`);
}

/** The URL is not shown in errors: it may hold a password. */
function urlFor(backend: BackendName, url: string): string {
  const { protocols } = backends[backend];
  if (protocols.length === 0) throw new UsageError(`--url needs --backend ${listed(brokerNames())}: ${backend} has no broker`);
  if (URL.canParse(url) && protocols.includes(new URL(url).protocol) && new URL(url).host !== "") return url;
  throw new UsageError(`--url must begin with ${listed(protocols.map((protocol) => `${protocol}//`))} and a host for --backend ${backend}`);
}

function brokerNames(): readonly BackendName[] {
  return backendNames.filter((name) => backends[name].protocols.length > 0);
}

function backendHelp(): string {
  const width = Math.max(...backendNames.map((name) => name.length)) + 2;
  return backendNames.map((name) => `${`${name}:`.padEnd(width)}${backends[name].help}`).join(`\n${indent}`);
}

function listed(names: readonly string[]): string {
  return names.length === 1 ? `${names[0]}` : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}
