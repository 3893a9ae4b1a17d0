/**
 * The coordinator's side of the bus: it gives out work, looks on while it is done, and asks the broker, not its own memory, whether anything is left.
 */
import type { Backend, DeadLetter } from "@halyard/core";
import { joinBus } from "./join.ts";
import type { Ledger } from "./ledger.ts";
import type { Progress } from "./progress.ts";
import {
  type DocumentFound,
  type FolderGiven,
  type FolderRead,
  type GroupName,
  groups,
  type ReportWanted,
  type ReportWritten,
  type TeamBus,
} from "./topics.ts";
import { until, within } from "./waiting.ts";

export type FailedLetter = DeadLetter<DocumentFound>;

const lettersMax = 100_000;
const listsWithinMs = 30_000;

export class Coordinator {
  readonly bus: TeamBus;
  readonly #ledger: Ledger;
  readonly #signal: AbortSignal;
  readonly #startedMs = performance.now();
  /** Ids of results that went by, and the number of messages that did: for the eyes of people, not for the books. */
  readonly #analysed = new Set<string>();
  #seen = 0;
  #deadLetters = 0;
  readonly #folders = new Map<string, FolderRead>();
  #report: ReportWritten | undefined;

  constructor(bus: TeamBus, ledger: Ledger, signal: AbortSignal) {
    this.bus = bus;
    this.#ledger = ledger;
    this.#signal = signal;
  }

  /** Defines all groups before anything is published: a message for a group whose members come later waits for them. */
  static async join(backend: Backend, ledgerPath: string, signal: AbortSignal): Promise<Coordinator> {
    const { bus, ledger } = await joinBus("coordinator", ledgerPath, backend);
    const coordinator = new Coordinator(bus, ledger, signal);
    for (const name of Object.keys(groups) as GroupName[]) await bus.groups.define(name, { add: groups[name] });
    await coordinator.#listen();
    return coordinator;
  }

  async #listen(): Promise<void> {
    await this.bus.subscribe(groups.coordinators, { group: "coordinators" }, ({ payload }) => {
      if ("markdown" in payload) this.#report = payload;
      else this.#folders.set(payload.folder, payload);
    });
    // Without a group: a copy of everything that goes by, beside the groups that work on it.
    await this.bus.subscribe(["document.analysed.*", "document.found.*"], (message) => {
      this.#seen++;
      if ("analysis" in message.payload) this.#analysed.add(message.payload.documentId);
    });
  }

  get progress(): Progress {
    const total = this.#folders.size === 0 ? undefined : [...this.#folders.values()].reduce((sum, { documents }) => sum + documents, 0);
    return { done: this.#analysed.size + this.#deadLetters, total, deadLetters: this.#deadLetters, elapsedMs: performance.now() - this.#startedMs };
  }

  async give(work: FolderGiven): Promise<void> {
    await this.bus.publish("folder.given", work, { id: `given:${crypto.randomUUID()}` });
  }

  /** What the reader found, once it has told the analysts about all of it. */
  async folderRead(folder: string): Promise<FolderRead> {
    await this.#until("the reader to read the folder", () => this.#folders.has(folder));
    return this.#folders.get(folder) as FolderRead; // it is there now
  }

  /** Resolves when that share of the documents is done, in one way or the other. */
  async progressed(share: number, onLook: (progress: Progress) => void): Promise<void> {
    await this.#until("the work to begin", async () => {
      const isDone = await this.isQuiet();
      onLook(this.progress);
      const { done, total } = this.progress;
      return total !== undefined && (isDone || done >= total * share);
    });
  }

  async quiet(onLook: (progress: Progress) => void): Promise<void> {
    await this.#until("the team to finish", async () => {
      const isDone = await this.isQuiet();
      onLook(this.progress);
      return isDone;
    });
  }

  /**
   * Whether no message waits, is delayed or is being handled, in any group. A handler publishes its results before its own message is done, so at no moment
   * is work neither here nor there.
   */
  async isQuiet(): Promise<boolean> {
    this.#deadLetters = await this.bus.deadLetters("analysts").count();
    const infos = (await this.bus.groups.list()) ?? [];
    return infos.every(({ waiting, delayed, inFlight }) => waiting === 0 && delayed === 0 && inFlight === 0);
  }

  async deadLetters(): Promise<readonly FailedLetter[]> {
    // What is in this group was published to document.found.*: the topic map types it there.
    return (await this.#lettersOf("analysts")) as readonly FailedLetter[];
  }

  /** Ids by group, as the broker has them. */
  async deadIds(): Promise<Readonly<Record<string, readonly string[]>>> {
    const ids: Record<string, readonly string[]> = {};
    for (const name of Object.keys(groups)) ids[name] = (await this.#lettersOf(name)).map(({ id }) => id);
    return ids;
  }

  #lettersOf(group: string): Promise<readonly DeadLetter[]> {
    return within(this.bus.deadLetters(group).list({ limit: lettersMax }), listsWithinMs, `The dead letters of group ${group} were not listed`);
  }

  async report(wanted: ReportWanted): Promise<ReportWritten> {
    await this.bus.publish("report.wanted", wanted);
    await this.#until("the reporter to write the report", () => this.#report !== undefined);
    return this.#report as ReportWritten; // it is there now
  }

  async close(): Promise<void> {
    await this.bus.close();
    this.#ledger.close();
  }

  #until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    return until(condition, {
      what,
      signal: this.#signal,
      progress: () => `${this.#seen} ${this.#analysed.size} ${this.#deadLetters} ${this.#folders.size}`,
      describe: () => this.#describe(),
    });
  }

  async #describe(): Promise<string> {
    const infos = (await this.bus.groups.list()) ?? [];
    const lines = infos.map(
      ({ name, waiting, delayed, inFlight, members }) => `${name}: ${waiting} waiting, ${delayed} delayed, ${inFlight} in flight, ${members} members`,
    );
    return `The broker says: ${lines.join("; ")}.`;
  }
}
