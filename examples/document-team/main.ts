/** The demo as a program: reads the command line, sets the stage, plays, and cleans up, whatever happened. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type DemoArguments, readArguments, usage } from "./arguments.ts";
import { backends, placeAt } from "./backends.ts";
import { exitStatus } from "./balance.ts";
import { closeBooks } from "./books.ts";
import { Coordinator } from "./coordinator.ts";
import { play, replaceKilled } from "./demo.ts";
import { Screen } from "./progress.ts";
import { Team } from "./team.ts";
import { UsageError } from "./usage-error.ts";
import { within } from "./waiting.ts";

const status = { good: 0, bad: 1, usage: 2, interrupted: 130 } as const;
const closesWithinMs = 60_000;

class Interrupted extends Error {}

async function main(): Promise<number> {
  const options = readArguments(process.argv.slice(2), process.cwd());
  if (options === "help") {
    process.stdout.write(usage);
    return status.good;
  }
  const screen = new Screen(process.stdout, process.env);
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interruption.abort(new Interrupted(`Interrupted by ${signal}: the team is told to stop.`)));
  }
  const folder = options.folder ?? installedDependencies();
  await checkFolder(folder, options.output);
  screen.say(screen.paint("bold", "Halyard demo: a team of agents reads real documents, and nothing gets lost."));
  return run({ ...options, folder }, screen, interruption);
}

/** One abort ends everything: what a person sends, or a member that ends unasked. */
async function run(options: DemoArguments & { readonly folder: string }, screen: Screen, stop: AbortController): Promise<number> {
  const scratch = await mkdtemp(join(tmpdir(), "halyard-demo-"));
  const { backendAt, startPlace, hasProcesses } = backends[options.backend];
  const cleaning: (() => Promise<void>)[] = [() => rm(scratch, { recursive: true, force: true })];
  try {
    const { address, title, end } = options.url === undefined ? await startPlace(scratch) : placeAt(options.url);
    cleaning.push(end);
    stop.signal.throwIfAborted();
    const backend = backendAt(address);
    const place = hasProcesses ? { backend: options.backend, address } : { shared: backend };
    const events: string[] = [];
    const team: Team = new Team({
      folder: scratch,
      flakyPercent: options.flakyPercent,
      place,
      onTrouble: (error) => stop.abort(error),
      onKilled: (member, by) => void replaceKilled({ team, screen, events }, member, by).catch((error: Error) => stop.abort(error)),
    });
    const coordinator = await Coordinator.join({ backend, folder: scratch, signal: stop.signal, isGuest: options.url !== undefined });
    cleaning.push(
      () => coordinator.close(),
      () => team.stop(),
    );
    const stage = { options, screen, team, coordinator, scratch, meetingTitle: title, signal: stop.signal, events };
    await play(stage);
    const books = await within(closeBooks(stage), closesWithinMs, "The team did not come to an end");
    return exitStatus(books);
  } catch (error) {
    // Waiting was ended by the signal: its reason is what happened.
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    await cleanUp(screen, cleaning.toReversed());
  }
}

/** What cannot be cleaned up is told, and is no reason to leave the rest behind. */
async function cleanUp(screen: Screen, steps: readonly (() => Promise<void>)[]): Promise<void> {
  for (const step of steps) await step().catch((error: Error) => screen.say(error.message));
}

/** A folder to work in, or an explanation. */
async function checkFolder(folder: string, output: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) throw new UsageError(`--folder ${folder} does not exist`);
  if (!found.isDirectory()) throw new UsageError(`--folder ${folder} is no folder`);
  await mkdir(output, { recursive: true }).catch((error: Error) => Promise.reject(new UsageError(`--output ${output} cannot be made: ${error.message}`)));
  await rm(join(output, "ledger"), { recursive: true, force: true });
}

/** `node_modules` of the repository: hundreds of documents that nobody here wrote. */
function installedDependencies(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); dirname(folder) !== folder; folder = dirname(folder)) {
    if (existsSync(join(folder, "pnpm-workspace.yaml"))) return join(folder, "node_modules");
  }
  throw new UsageError("--folder is needed: this is no checkout of the repository");
}

/** Who reads may go away, as `head` and closed terminals do: that is no reason to leave processes behind. */
process.stdout.on("error", () => undefined);

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${text}${error instanceof UsageError ? ".\nTry: npm run demo -- --help" : ""}\n`);
    process.exitCode = error instanceof UsageError ? status.usage : error instanceof Interrupted ? status.interrupted : status.bad;
  },
);
