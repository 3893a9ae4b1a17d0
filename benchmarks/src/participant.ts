/** The parent's side of a measurement: one fresh process, asked over its channel. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Answers, Question, Told } from "./questions.ts";

/** Longest wait for an answer beyond the time that the question itself takes: a hung process must fail the run. */
const answerMsMax = 60_000;

/** Compiled parts lie beside this file. */
const folder = new URL(".", import.meta.url);

/** A process of a measurement. */
export interface Participant {
  readonly name: string;
  /** What the part said about how to reach it. */
  readonly ready: string;
  /** Rejects when the process fails, ends or takes more than a minute longer than `expectedMs`. */
  ask<Name extends Question>(question: Name, expectedMs?: number): Promise<Answers[Name]>;
  /** Asks for the end and waits until the process is gone. */
  end(): Promise<void>;
  /** Ends the process by force, if it still runs. */
  kill(): void;
}

export interface ParticipantOptions {
  /** Name in tables and profiles, e.g. `"server"`. */
  readonly name: string;
  /** Path of the compiled part without extension, relative to this folder, e.g. `"opponents/relay-server"`. */
  readonly part: string;
  readonly settings: unknown;
  /** Where the process writes `<name>.cpuprofile`; undefined: it is not profiled. */
  readonly profileFolder?: string | undefined;
}

/** Starts a process and waits until it is ready. */
export async function startParticipant(options: ParticipantOptions): Promise<Participant> {
  const { name, part, settings, profileFolder } = options;
  const execArgv = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=${name}.cpuprofile`];
  const child = fork(fileURLToPath(new URL(`${part}.js`, folder)), [JSON.stringify(settings)], { execArgv, serialization: "advanced" });
  const told = await nextTold(child, name, answerMsMax).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  if (!("ready" in told)) throw new Error(`${name} answered before it was ready.`);
  return {
    name,
    ready: told.ready,
    ask: (question, expectedMs = 0) => ask(child, name, question, expectedMs),
    end: () => end(child, name),
    kill: () => void child.kill("SIGKILL"),
  };
}

async function ask<Name extends Question>(child: ChildProcess, name: string, question: Name, expectedMs: number): Promise<Answers[Name]> {
  const told = nextTold(child, name, expectedMs + answerMsMax);
  child.send({ question });
  const reply = await told;
  if (!("answer" in reply)) throw new Error(`${name} said it was ready when it was asked "${question}".`);
  // The part's type in part.ts says that this question has this answer.
  return reply.answer as Answers[Name];
}

async function end(child: ChildProcess, name: string): Promise<void> {
  await ask(child, name, "end", 0);
  const isGone = child.exitCode === null ? once(child, "exit") : Promise.resolve();
  child.disconnect();
  await isGone;
}

function nextTold(child: ChildProcess, name: string, waitMsMax: number): Promise<Told> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(() => reject(new Error(`${name} did not answer within ${waitMsMax} ms.`))), waitMsMax);
    const onMessage = (told: Told): void => finish(() => ("failure" in told ? reject(new Error(`${name} failed: ${told.failure}`)) : resolve(told)));
    const onExit = (code: number | null, signal: string | null): void => finish(() => reject(new Error(`${name} ended early (${signal ?? code}).`)));
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
      child.off("error", reject);
      settle();
    };
    child.on("message", onMessage);
    child.on("exit", onExit);
    child.on("error", reject);
  });
}
