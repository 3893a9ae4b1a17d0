/** The child's side of a measurement: a part (publisher, server, consumer) says what it answers, and this file keeps the channel. */
import process from "node:process";
import type { Answers, Asked, Question, Told } from "./questions.ts";

/** What a part can answer. `end` comes last: it must let go of everything, so that the process ends by itself and a profile is written. */
export type Part = { readonly [Name in Question]?: () => Answers[Name] | Promise<Answers[Name]> } & {
  /** What others need to reach this part, e.g. a port. */
  readonly ready?: string;
};

/** Settings of the part, as the parent handed them over. */
export function partSettings<Settings>(): Settings {
  // The parent of this process is the harness, which serialises exactly these settings.
  return JSON.parse(process.argv[2] ?? "{}") as Settings;
}

/** Makes the part and answers for it until the parent asks for the end. Any failure is told to the parent and ends the process. */
export function playPart(make: () => Part | Promise<Part>): void {
  process.on("unhandledRejection", fail);
  process.on("uncaughtException", fail);
  // A parent that is gone asks nothing any more.
  process.on("disconnect", () => process.exit(process.exitCode ?? 0));
  start(make).catch(fail);
}

async function start(make: () => Part | Promise<Part>): Promise<void> {
  const part = await make();
  process.on("message", (asked: Asked) => {
    answer(part, asked.question).catch(fail);
  });
  tell({ ready: part.ready ?? "" });
}

async function answer(part: Part, question: Question): Promise<void> {
  const reply = part[question];
  if (reply === undefined) throw new Error(`This part does not answer "${question}".`);
  tell({ answer: await reply() });
}

function tell(told: Told): void {
  process.send?.(told);
}

function fail(reason: unknown): void {
  process.exitCode = 1;
  const text = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
  const told: Told = { failure: text };
  if (process.send === undefined) console.error(text);
  else process.send(told, () => process.exit(1));
}
