import { parseArgs } from "node:util";

/** What the command line asks for. */
export interface CommandOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** Names of scenarios, or beginnings of them; empty: all. */
  readonly only: readonly string[];
  /** Only this contender of each scenario, for profiles; undefined: the first. */
  readonly contender: string | undefined;
  readonly isJson: boolean;
  readonly isGate: boolean;
  readonly isProfile: boolean;
  readonly isHelp: boolean;
}

/** Shown by `--help`. */
export const helpText = `Usage: npm run bench -- [options]

Measures Halyard beside something bare that does the same work, in fresh processes and in turns, and says which of the stated figures are met.
A run of all scenarios with three rounds or more also writes results/<date>-<machine>.json.

  --only <names>       scenarios whose name begins so, separated by commas: memory, embedded-256, …
  --rounds <n>         rounds; medians are taken over them (default 5; with --gate 3)
  --seconds <s>        measured time of each run, after a warm-up of up to 2 s (default 3; with --gate 1.5)
  --json               print the results as JSON instead of tables
  --gate               only the ratios that hold on a busy machine as well; exit status 1 where one is missed
  --profile            run each scenario once, with a processor profile of every process, and print the functions that took longest
  --contender <name>   with --profile: which contender (default halyard)
  --help               this text
`;

/** Reads the command line. Throws with a sentence for people on anything it does not know. */
export function parseOptions(parameters: readonly string[]): CommandOptions {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      only: { type: "string", default: "" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      contender: { type: "string" },
      json: { type: "boolean", default: false },
      gate: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  return {
    rounds: wholeNumber("--rounds", values.rounds ?? (values.gate ? "3" : "5")),
    seconds: positive("--seconds", values.seconds ?? (values.gate ? "1.5" : "3")),
    only: values.only.split(",").filter((name) => name !== ""),
    contender: values.contender,
    isJson: values.json,
    isGate: values.gate,
    isProfile: values.profile,
    isHelp: values.help,
  };
}

function wholeNumber(name: string, text: string): number {
  const value = positive(name, text);
  if (!Number.isInteger(value)) throw new Error(`${name} takes a whole number, not ${text}.`);
  return value;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`${name} takes a number above 0, not ${text}.`);
  return value;
}
