import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import process from "node:process";
import type { Example } from "./extract.ts";

/** How long an example may run before it is ended and counts as failed. */
const runDeadlineMs = 30_000;
const testDeadlineMs = 180_000;

/** Most text that is kept of what an example prints. */
const outputBytesMax = 1_000_000;

/** Executes a compiled example. Resolves to what is wrong with what it did; undefined when it did what the document says. */
export async function executeExample(root: string, directory: string, example: Example): Promise<string | undefined> {
  const script = join(directory, example.path.replace(/\.ts$/, ".js"));
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const parameters = example.action === "test" ? [vitest, "run", "--root", dirname(script), script] : [script];
  const result = await run(parameters, dirname(script), example.action === "test" ? testDeadlineMs : runDeadlineMs);
  if (result.problem !== undefined) return `${example.place}: ${result.problem}\n${result.output}${result.errors}`;
  if (example.output === undefined || printsAs(result.output, example.output)) return undefined;
  return `${example.place} prints something else than the document says.\nIt printed:\n${result.output}\nThe document says:\n${example.output}`;
}

/** Compares line by line without spaces at the ends; `…` in what is expected stands for any text. */
export function printsAs(actual: string, expected: string): boolean {
  const lines = actual.trimEnd().split("\n");
  const wanted = expected.trimEnd().split("\n");
  return lines.length === wanted.length && wanted.every((line, index) => isLike(lines[index]?.trimEnd() ?? "", line.trimEnd()));
}

function isLike(actual: string, expected: string): boolean {
  const [first = "", ...rest] = expected.split("…");
  if (rest.length === 0) return actual === first;
  if (!actual.startsWith(first)) return false;
  let position = first.length;
  for (const [index, part] of rest.entries()) {
    const found = index === rest.length - 1 ? actual.length - part.length : actual.indexOf(part, position);
    if (found < position || !actual.startsWith(part, found)) return false;
    position = found + part.length;
  }
  return true;
}

interface RunResult {
  readonly output: string;
  readonly errors: string;
  readonly problem: string | undefined;
}

function run(parameters: readonly string[], cwd: string, deadlineMs: number): Promise<RunResult> {
  // Without what the vitest around this run tells its own workers, and without the report: a backend in a document gets no column in the README's table.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|HALYARD_|TEST$|NODE_ENV$|NODE_OPTIONS$|FORCE_COLOR$)/.test(name)));
  return new Promise((resolve) => {
    const child = spawn(process.execPath, parameters, { cwd, env: { ...env, NO_COLOR: "1" }, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    let isLate = false;
    const deadline = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, deadlineMs);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (output.length < outputBytesMax) output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (errors.length < outputBytesMax) errors += text;
    });
    const end = (problem: string | undefined): void => {
      clearTimeout(deadline);
      resolve({ output, errors, problem });
    };
    child.once("error", (error) => end(`it could not be started: ${error.message}`));
    child.once("close", (code, signal) => {
      if (isLate) end(`it was still running after ${deadlineMs} ms.`);
      else end(code === 0 ? undefined : `it ended with ${signal ?? `exit status ${code}`}.`);
    });
  });
}
