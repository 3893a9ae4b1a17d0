/**
 * The members of the team and their processes: started, watched, killed, and never left behind. Over the memory backend the same members live in this
 * process, where none can be killed alone.
 */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Backend } from "@halyard/core";
import type { BackendName } from "./backends.ts";
import { type MemberPlan, type Role, startMember } from "./join.ts";
import { within } from "./waiting.ts";

export interface Member {
  readonly name: string;
  readonly role: Role;
  readonly ledgerPath: string;
  /** Of its own process; `undefined` where it has none. */
  readonly pid: number | undefined;
  /** How it ended, as far as that is not in order; empty otherwise. */
  note: string;
  signal(signal: NodeJS.Signals): void;
  /** Drains it. Resolves when it is gone. */
  stop(): Promise<void>;
  /** Resolves when it is gone, however that came. */
  readonly gone: Promise<void>;
}

/** Where a member in a process of its own finds the others; plain data. */
export interface MemberPlace {
  readonly backend: BackendName;
  /** May hold a password. */
  readonly address: string;
}

/** The variable that a member's process finds its plan in: unlike a command line, others cannot read it. */
export const planVariable = "HALYARD_DEMO_PLAN";

export interface TeamOptions {
  /** Where ledgers and results lie. */
  readonly folder: string;
  readonly flakyPercent: number;
  /** Processes that meet at a server, or members of this process that share a backend. */
  readonly place: MemberPlace | { readonly shared: Backend };
  /** A member ended that was not told to. */
  onTrouble(error: Error): void;
  /** Somebody else killed an analyst with a signal, as a person may who wants to see what becomes of its work. */
  onKilled(member: Member, by: NodeJS.Signals): void;
}

const startsWithinMs = 30_000;
const stopsWithinMs = 15_000;
const errorCharactersMax = 4_000;

export class Team {
  readonly members: Member[] = [];
  readonly #options: TeamOptions;
  #isStopping = false;

  constructor(options: TeamOptions) {
    this.#options = options;
  }

  /** Resolves when the member takes part. */
  async start(role: Role, name: string): Promise<Member> {
    const { folder, flakyPercent, place } = this.#options;
    const plan: MemberPlan = { role, name, flakyPercent, ledgerPath: join(folder, `${name}.jsonl`), resultsPath: join(folder, "results.jsonl") };
    const start = "shared" in place ? this.#startHere(plan, place.shared) : this.#startProcess(plan, place);
    return within(start, startsWithinMs, `${name} did not begin to work`);
  }

  /** Starts one more, in the place of one that is gone. */
  startAnalyst(): Promise<Member> {
    return this.start("analyst", `analyst-${this.members.filter(({ role }) => role === "analyst").length + 1}`);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.members.map((member) => member.stop()));
  }

  async #startHere(plan: MemberPlan, backend: Backend): Promise<Member> {
    const leave = await startMember(plan, backend);
    let left: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      left ??= leave();
      return left;
    };
    const { name, role, ledgerPath } = plan;
    const member: Member = { name, role, ledgerPath, pid: undefined, note: "", signal: () => undefined, stop, gone: Promise.resolve() };
    this.members.push(member);
    return member;
  }

  #startProcess(plan: MemberPlan, place: MemberPlace): Promise<Member> {
    // Its name stands in the list of processes, for those who want to kill one by hand.
    const child = fork(fileURLToPath(new URL("./member.js", import.meta.url)), [plan.name], {
      env: { ...process.env, [planVariable]: JSON.stringify({ ...plan, place }) },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
    });
    const errors = tailOf(child);
    const { name, role, ledgerPath } = plan;
    const gone = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    const signal = (which: NodeJS.Signals): void => void child.kill(which);
    const member: Member = { name, role, ledgerPath, pid: child.pid, note: "", signal, stop: () => stopProcess(member), gone };
    this.members.push(member);
    return new Promise((resolve, reject) => {
      let works = false;
      child.once("message", () => {
        works = true;
        resolve(member);
      });
      child.once("error", reject);
      child.once("exit", (code, by) => {
        if (code === 0 || member.note !== "") return;
        if (by !== null && works && role === "analyst" && !this.#isStopping) {
          member.note = "killed by hand";
          this.#options.onKilled(member, by);
          return;
        }
        member.note = by ?? `exit status ${code}`;
        const how =
          by === null ? `ended by itself with status ${code}` : `was killed from outside with ${by}, and the demo stops: only analysts at work are replaced`;
        const error = new Error(`${name} (process ${child.pid}) ${how}.\n${errors()}`.trim());
        reject(error);
        if (!this.#isStopping) this.#options.onTrouble(error);
      });
    });
  }
}

/** SIGTERM, and SIGKILL for one that does not end. One that was stopped in its tracks must run to hear it. */
async function stopProcess(member: Member): Promise<void> {
  member.signal("SIGTERM");
  member.signal("SIGCONT");
  try {
    await within(member.gone, stopsWithinMs, `${member.name} did not end`);
  } catch {
    member.note = "did not drain, killed";
    member.signal("SIGKILL");
    await member.gone;
  }
}

/** The last of what a process wrote to its error output. */
function tailOf(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text = (text + chunk).slice(-errorCharactersMax);
  });
  return () => text.trim();
}
