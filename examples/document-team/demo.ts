/** The story of the demo, one act a function: the team reads, one of it is killed, what failed is looked at, the report is written. */
import { backends } from "./backends.ts";
import { collectLedgers } from "./books.ts";
import { type Killing, killAtWork } from "./kill.ts";
import { lookAtDeadLetters, reasonOf } from "./second-chance.ts";
import { type Stage, work } from "./stage.ts";
import type { Member } from "./team.ts";
import { UsageError } from "./usage-error.ts";

/** The share of the documents that is done when the analyst is killed. */
const killAtShare = 0.35;

export async function play(stage: Stage): Promise<void> {
  const { options, coordinator } = stage;
  await gather(stage);
  await coordinator.give({ folder: options.folder, label: "", isDamaged: false, bytesMax: options.bytesMax });
  const killing = await killOne(stage);
  await tellWhatWasRead(stage);
  await work(stage);
  await tellAboutKill(stage, killing);
  await lookAtDeadLetters(stage);
  await writeReport(stage);
}

/** Starts everybody. The order does not matter: the groups are there, messages wait for their members. */
async function gather({ team, options, screen, meetingTitle }: Stage): Promise<void> {
  const analysts = Array.from({ length: options.workers }, (_, index) => team.start("analyst", `analyst-${index + 1}`));
  await Promise.all([team.start("reader", "reader"), ...analysts, team.start("reporter", "reporter")]);
  const who = backends[options.backend].hasProcesses ? `${team.members.length} processes` : "all in this process";
  screen.say(`The team: a reader, ${options.workers} ${options.workers === 1 ? "analyst" : "analysts"} and a reporter; ${who}, over ${meetingTitle}.`);
  screen.say(`They read ${options.folder}.`);
  if (options.flakyPercent > 0)
    screen.say(`Simulated: the first attempt fails for ${options.flakyPercent} in 100 documents, to show retries (--flaky 0: none).`);
}

async function tellWhatWasRead({ coordinator, options, screen }: Stage): Promise<void> {
  const { documents, unreadable } = await coordinator.folderRead(options.folder);
  if (documents === 0) throw new UsageError(`${options.folder} has no documents: give a folder with .md, .markdown, .mdx, .rst or .txt files`);
  if (unreadable.length > 0) screen.say(`Folders that may not be entered and were left out: ${unreadable.length}, the first is ${unreadable[0]}.`);
}

/** Act two. Resolves when the killed analyst is gone and another one works. */
async function killOne(stage: Stage): Promise<Killing | undefined> {
  const { options, coordinator, screen, team, signal } = stage;
  if (!options.kills || !backends[options.backend].hasProcesses) {
    if (options.kills) screen.say(`Nobody is killed: over ${options.backend} all work in one process. --backend embedded shows it.`);
    return undefined;
  }
  await coordinator.progressed(killAtShare, (progress) => screen.progress(progress));
  if (coordinator.progress.total === 0) return undefined;
  const analysts = team.members.filter(({ role }) => role === "analyst");
  const killing = await killAtWork(analysts, () => coordinator.isQuiet(), signal);
  if (killing === undefined) {
    screen.say("Nobody was killed: the work was done before an analyst was caught at it. A larger folder gives it more time.");
    return undefined;
  }
  const { member, inHand, handledBefore } = killing;
  screen.say(
    `${screen.paint("red", `Killed ${member.name}`)} (process ${member.pid}, SIGKILL) while it worked on ${inHand.length} ${inHand.length === 1 ? "document" : "documents"}; it had done ${handledBefore}.`,
  );
  await startInPlace(stage);
  return killing;
}

async function startInPlace({ team, screen }: Pick<Stage, "team" | "screen">): Promise<void> {
  const { name, pid } = await team.startAnalyst();
  screen.say(`${screen.paint("green", `Started ${name}`)} (process ${pid}) in its place.`);
}

/** Not in the play: a person killed an analyst, to see what becomes of its work. */
export async function replaceKilled(stage: Pick<Stage, "team" | "screen" | "events">, { name, pid }: Member, by: NodeJS.Signals): Promise<void> {
  stage.events.push(`${name} was killed by hand, with ${by}.`);
  stage.screen.say(`${stage.screen.paint("red", `You killed ${name}`)} (process ${pid}, ${by}). What it had in hand comes again to the others.`);
  await startInPlace(stage);
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

/** Act four. */
async function writeReport({ coordinator, options, screen, events }: Stage): Promise<void> {
  const letters = await coordinator.deadLetters();
  const failed = letters.map((letter) => ({ name: letter.message.payload.name, isDamaged: letter.message.payload.isDamaged, reason: reasonOf(letter) }));
  const report = await coordinator.report({ folder: options.folder, failed, events, output: options.output });
  screen.say(`The report on ${report.documents} documents: ${report.html} and ${report.markdown}`);
}
