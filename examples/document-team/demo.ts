/** The story of the demo, one act a function: the team reads, one of it is killed, what failed is looked at, one letter is redriven, the report is written. */
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type DemoArguments, UsageError } from "./arguments.ts";
import { type Balance, balance } from "./balance.ts";
import { collectLedgers, keepLedgers } from "./books.ts";
import type { Coordinator, FailedLetter } from "./coordinator.ts";
import { damageCopies, repaired } from "./damage.ts";
import { findDocuments } from "./documents.ts";
import { type Killing, killAtWork } from "./kill.ts";
import { ledgerTable } from "./ledger-table.ts";
import type { Screen } from "./progress.ts";
import type { Team } from "./team.ts";

export interface Stage {
  readonly options: DemoArguments & { readonly folder: string };
  readonly screen: Screen;
  readonly team: Team;
  readonly coordinator: Coordinator;
  /** For everything that is only there while the demo runs. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** For the report: what happened on the way. */
  readonly events: string[];
}

/** The share of the documents that is done when the analyst is killed. */
const killAtShare = 0.35;
const lettersShownMax = 20;

export async function play(stage: Stage): Promise<void> {
  const { options, screen } = stage;
  await gather(stage);
  const { coordinator } = stage;
  await coordinator.give({ folder: options.folder, label: "", isDamaged: false, bytesMax: options.bytesMax });
  const killing = killOne(stage);
  const read = await Promise.all([coordinator.folderRead(options.folder), killing.then(() => undefined)]).then(([found]) => found);
  if (read.documents === 0) throw new UsageError(`${options.folder} has no documents: give a folder with .md, .markdown, .mdx, .rst or .txt files`);
  if (read.unreadable.length > 0) screen.say(`${read.unreadable.length} folders may not be entered and were left out, the first is ${read.unreadable[0]}.`);
  await work(stage);
  await tellAboutKill(stage, await killing);
  await lookAtDeadLetters(stage);
  await writeReport(stage);
}

/** Starts everybody. The order does not matter: the groups are there, messages wait for their members. */
async function gather({ team, options, screen, scratch }: Stage): Promise<void> {
  const analysts = Array.from({ length: options.workers }, (_, index) => team.start("analyst", `analyst-${index + 1}`));
  await Promise.all([team.start("reader", "reader"), ...analysts, team.start("reporter", "reporter")]);
  const where =
    options.backend === "memory" ? "all in this process, over memory" : `${team.members.length} processes, over a server of their own in ${scratch}`;
  screen.say(`The team: a reader, ${options.workers} ${options.workers === 1 ? "analyst" : "analysts"} and a reporter; ${where}.`);
  screen.say(`They read ${options.folder}.`);
  if (options.flakyPercent > 0)
    screen.say(`Simulated: the first attempt fails for ${options.flakyPercent} in 100 documents, to show retries (--flaky 0: none).`);
}

async function work({ coordinator, screen }: Stage): Promise<void> {
  await coordinator.quiet((progress) => screen.progress(progress));
  screen.progress(coordinator.progress, true);
}

/** Act two. Resolves when the killed analyst is gone and another one works. */
async function killOne(stage: Stage): Promise<Killing | undefined> {
  const { options, coordinator, screen, team, signal } = stage;
  if (!options.kills || options.backend === "memory") {
    if (options.kills) screen.say("Nobody is killed: over memory all work in one process. --backend embedded shows it.");
    return undefined;
  }
  await showProgressUntil(stage, coordinator.progressed(killAtShare));
  if (coordinator.progress.total === 0) return undefined;
  const isWorkLeft = (): boolean => coordinator.progress.done < (coordinator.progress.total ?? Number.POSITIVE_INFINITY);
  const killing = await killAtWork(
    team.members.filter(({ role }) => role === "analyst"),
    isWorkLeft,
    signal,
  );
  if (killing === undefined) {
    screen.say("Nobody was killed: the work was done before an analyst was caught at it. A larger folder gives it more time.");
    return undefined;
  }
  const { member, inHand, handledBefore } = killing;
  screen.say(
    `${screen.paint("red", `Killed ${member.name}`)} (process ${member.pid}, SIGKILL) while it worked on ${inHand.length} ${inHand.length === 1 ? "document" : "documents"}; it had done ${handledBefore}.`,
  );
  const { name, pid } = await team.start("analyst", `analyst-${options.workers + 1}`);
  screen.say(`${screen.paint("green", `Started ${name}`)} (process ${pid}) in its place.`);
  return killing;
}

async function showProgressUntil({ coordinator, screen }: Stage, ready: Promise<void>): Promise<void> {
  const timer = setInterval(() => screen.progress(coordinator.progress), 100);
  try {
    await ready;
  } finally {
    clearInterval(timer);
  }
}

/** The proof that the killed analyst's work was not lost: who did it instead. */
async function tellAboutKill({ team, screen, events }: Stage, killing: Killing | undefined): Promise<void> {
  if (killing === undefined) return;
  const { member, inHand, handledBefore } = killing;
  const takers = new Set<string>();
  for (const { name, entries } of await collectLedgers(team.members.filter((other) => other !== member))) {
    if (entries.some((entry) => (entry.event === "handled" || entry.event === "dead-lettered") && inHand.includes(entry.id))) takers.add(name);
  }
  const by = takers.size === 0 ? "nobody" : [...takers].join(" and ");
  screen.say(`What ${member.name} had in hand was taken over by ${by}.`);
  events.push(`${member.name} was killed while it worked on ${inHand.length} documents, after ${handledBefore}. Taken over by ${by}.`);
}

/** Act three: what cannot be analysed, and one of it tried again. */
async function lookAtDeadLetters(stage: Stage): Promise<void> {
  let cure = await findCure(stage);
  if (cure === undefined) {
    await addDamagedCopies(stage);
    cure = await findCure(stage);
  }
  const letters = await stage.coordinator.deadLetters();
  listLetters(stage, letters);
  if (cure === undefined) return;
  const { screen, coordinator, events } = stage;
  const { letter, payload } = cure;
  await coordinator.bus.deadLetters("analysts").redrive(letter.id, { payload });
  await work(stage);
  const left = await coordinator.deadLetters();
  const isCured = !left.some(({ id }) => id === letter.id);
  screen.say(`Redriven: ${payload.name}; ${payload.repair}. ${isCured ? "It is in the report now." : "It failed again."}`);
  events.push(`${payload.name} was a dead letter (${reasonOf(letter)}) and was redriven: ${payload.repair}.`);
}

interface Cure {
  readonly letter: FailedLetter;
  readonly payload: NonNullable<Awaited<ReturnType<typeof repaired>>>;
}

async function findCure({ coordinator, scratch }: Stage): Promise<Cure | undefined> {
  for (const letter of await coordinator.deadLetters()) {
    const payload = await repaired(letter.message.payload, letter.error?.code, join(scratch, "repaired"));
    if (payload !== undefined) return { letter, payload };
  }
  return undefined;
}

async function addDamagedCopies(stage: Stage): Promise<void> {
  const { options, screen, scratch, coordinator, events } = stage;
  const count = (await coordinator.deadLetters()).length;
  screen.say(
    count === 0
      ? "Every document of the folder could be analysed. To have dead letters, three damaged copies are added, in a temporary folder:"
      : "No document that failed can be repaired. Three damaged copies are added, in a temporary folder:",
  );
  const folder = join(scratch, "damaged copies");
  const { documents } = await findDocuments(options.folder);
  const done = await damageCopies(documents, folder, options.bytesMax);
  for (const line of done) screen.say(`  ${line}`);
  if (done.length === 0) return;
  events.push(`The folder had nothing to repair, so three damaged copies of its documents were added: ${done.join("; ")}.`);
  await coordinator.give({ folder, label: "damaged copies", isDamaged: true, bytesMax: options.bytesMax });
  await coordinator.folderRead(folder);
  await work(stage);
}

function listLetters({ screen }: Stage, letters: readonly FailedLetter[]): void {
  screen.say(`Dead letters of the group "analysts": ${letters.length}`);
  for (const letter of letters.slice(0, lettersShownMax)) screen.say(`  ${screen.paint("yellow", letter.message.payload.name)}: ${reasonOf(letter)}`);
  if (letters.length > lettersShownMax) screen.say(`  and ${letters.length - lettersShownMax} more; the report has them all`);
}

function reasonOf({ error, reason, attempts }: FailedLetter): string {
  return reason === "attempts" ? `${error?.message ?? "no reason was given"} (${attempts} attempts)` : (error?.message ?? reason);
}

/** Act four. */
async function writeReport({ coordinator, options, screen, events }: Stage): Promise<void> {
  const letters = await coordinator.deadLetters();
  const failed = letters.map((letter) => ({ name: letter.message.payload.name, isDamaged: letter.message.payload.isDamaged, reason: reasonOf(letter) }));
  const report = await coordinator.report({ folder: options.folder, failed, events, output: options.output });
  screen.say(`The report on ${report.documents} documents: ${report.html} and ${report.markdown}`);
}

/** The end: everybody leaves, then the books are closed over what they wrote down and what the broker still has. */
export async function closeBooks({ team, coordinator, options, screen, scratch }: Stage): Promise<Balance> {
  await team.stop();
  const deadIds = await coordinator.deadIds();
  await coordinator.close();
  const own = { name: "coordinator", ledgerPath: join(scratch, "coordinator.jsonl"), note: "" };
  const ledgers = await collectLedgers([own, ...team.members]);
  const books = balance(ledgers, deadIds);
  const table = ledgerTable(books);
  screen.say();
  for (const line of table) screen.say(line.startsWith("published") ? screen.paint(books.lost.length === 0 ? "green" : "red", line) : line);
  await keepLedgers(options.output, scratch, table, books);
  return books;
}

/** A folder to work in, or an explanation. */
export async function checkFolder(folder: string, output: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) throw new UsageError(`--folder ${folder} does not exist`);
  if (!found.isDirectory()) throw new UsageError(`--folder ${folder} is no folder`);
  await mkdir(output, { recursive: true }).catch((error: Error) => Promise.reject(new UsageError(`--output ${output} cannot be made: ${error.message}`)));
  await rm(join(output, "ledger"), { recursive: true, force: true });
}
