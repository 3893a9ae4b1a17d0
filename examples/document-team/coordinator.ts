/**
 * The coordinator's side of the bus: it gives out work, looks on while it is done, and asks the broker, not its own memory, whether anything is left (quiet.ts).
 */
import { join } from "node:path";
import { type Backend, type DeadLetter, isHalyardError } from "@halyard/core";
import { joinBus } from "./join.ts";
import type { Ledger } from "./ledger.ts";
import type { Progress } from "./progress.ts";
import { QuietWatch } from "./quiet.ts";
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
const clearsWithinMs = 15_000;

export interface CoordinatorOptions {
  readonly backend: Backend;
  /** Where all ledgers lie. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** The broker is somebody's: what is made there is removed again. */
  readonly isGuest: boolean;
}

export class Coordinator {
  readonly bus: TeamBus;
  readonly #ledger: Ledger;
  readonly #signal: AbortSignal;
  /** The broker is somebody's: what is made there is removed again. */
  readonly #isGuest: boolean;
  readonly #quiet: QuietWatch;
  #closing: Promise<void> | undefined;
  readonly #startedMs = performance.now();
  /** Ids of results that went by, and the number of messages that did: for the eyes of people, not for the books. */
  readonly #analysed = new Set<string>();
  #seen = 0;
  #deadLetters = 0;
  readonly #folders = new Map<string, FolderRead>();
  #report: ReportWritten | undefined;

  constructor(bus: TeamBus, ledger: Ledger, { folder, signal, isGuest }: CoordinatorOptions) {
    this.bus = bus;
    this.#ledger = ledger;
    this.#signal = signal;
    this.#isGuest = isGuest;
    this.#quiet = new QuietWatch({ bus, folder, deadIds: () => this.deadIds() });
  }

  /** Defines all groups before anything is published: a message for a group whose members come later waits for them. */
  static async join(options: CoordinatorOptions): Promise<Coordinator> {
    const { bus, ledger } = await joinBus("coordinator", join(options.folder, "coordinator.jsonl"), options.backend);
    const coordinator = new Coordinator(bus, ledger, options);
    try {
      if (options.isGuest) await coordinator.#enterAsGuest();
      for (const name of Object.keys(groups) as GroupName[]) await bus.groups.define(name, { add: groups[name] });
      await coordinator.#listen();
      return coordinator;
    } catch (error) {
      await bus.close();
      throw error;
    }
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
    await this.bus.publish("folder.given", work, { id: crypto.randomUUID() });
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

  /** Whether nothing is left to do, in any group. A broker that is away for a moment cannot say so; it is asked again at the next look. */
  async isQuiet(): Promise<boolean> {
    try {
      this.#deadLetters = await this.bus.deadLetters("analysts").count();
      return await this.#quiet.isQuiet();
    } catch (error) {
      if (isHalyardError(error) && error.retryable) return false;
      throw error;
    }
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

  /** The last to leave takes the groups along. */
  close(): Promise<void> {
    this.#closing ??= this.#leave();
    return this.#closing;
  }

  async #leave(): Promise<void> {
    try {
      if (this.#isGuest) await within(this.#clear(), clearsWithinMs, "The groups of the team were not removed from the broker");
    } finally {
      await this.bus.close();
      this.#ledger.close();
    }
  }

  /** What an earlier run left that could not clear up goes; a run that is under way does not, as far as the broker says who listens. */
  async #enterAsGuest(): Promise<void> {
    const infos = await Promise.all(Object.keys(groups).map((name) => this.bus.groups.get(name)));
    const busy = infos.find((info) => (info?.members ?? 0) > 0);
    if (busy !== undefined)
      throw new Error(`Another demo is at work on this broker: its group "${busy.name}" has ${busy.members} members. Wait until it has ended.`);
    await this.#clear();
  }

  /** Removes the groups with all that they hold. */
  async #clear(): Promise<void> {
    for (const name of Object.keys(groups)) {
      const info = await this.bus.groups.get(name);
      await this.bus.deadLetters(name).purge();
      if (info !== undefined) await this.bus.groups.remove(name);
    }
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
    const infos = await Promise.all(Object.keys(groups).map((name) => this.bus.groups.get(name)));
    const said = (number: number | undefined): string => (number === undefined ? "?" : String(number));
    const lines = infos.flatMap((info) =>
      info === undefined
        ? []
        : [`${info.name}: ${said(info.waiting)} waiting, ${said(info.delayed)} delayed, ${said(info.inFlight)} in flight, ${said(info.members)} members`],
    );
    return `The broker says: ${lines.join("; ")}.`;
  }
}
