/** The dead letters: what could not be analysed and why, and one of it repaired and tried again. */
import { join } from "node:path";
import type { FailedLetter } from "./coordinator.ts";
import { damageCopies, repaired } from "./damage.ts";
import { findDocuments } from "./documents.ts";
import { printable } from "./progress.ts";
import { type Stage, work } from "./stage.ts";

const lettersShownMax = 20;

export async function lookAtDeadLetters(stage: Stage): Promise<void> {
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
  screen.say(`Redriven: ${printable(payload.name)}; ${payload.repair}. ${isCured ? "It is in the report now." : "It failed again."}`);
  events.push(`${payload.name} was a dead letter (${reasonOf(letter)}) and was redriven: ${payload.repair}.`);
}

interface Cure {
  readonly letter: FailedLetter;
  readonly payload: NonNullable<Awaited<ReturnType<typeof repaired>>>;
}

/** The smallest that can be cured. */
async function findCure({ coordinator, scratch }: Stage): Promise<Cure | undefined> {
  const letters = (await coordinator.deadLetters()).toSorted((a, b) => a.message.payload.bytes - b.message.payload.bytes);
  for (const letter of letters) {
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
  for (const line of done) screen.say(`  ${printable(line)}`);
  if (done.length === 0) return;
  events.push(`The folder had nothing to repair, so three damaged copies of its documents were added: ${done.join("; ")}.`);
  await coordinator.give({ folder, label: "damaged copies", isDamaged: true, bytesMax: options.bytesMax });
  await coordinator.folderRead(folder);
  await work(stage);
}

function listLetters({ screen }: Stage, letters: readonly FailedLetter[]): void {
  screen.say(`Dead letters of the group "analysts": ${letters.length}`);
  for (const letter of letters.slice(0, lettersShownMax))
    screen.say(`  ${screen.paint("yellow", printable(letter.message.payload.name))}: ${reasonOf(letter)}`);
  if (letters.length > lettersShownMax) screen.say(`  and ${letters.length - lettersShownMax} more; the report has them all`);
}

export function reasonOf({ error, reason, attempts }: FailedLetter): string {
  return reason === "attempts" ? `${error?.message ?? "no reason was given"} (${attempts} attempts)` : (error?.message ?? reason);
}
