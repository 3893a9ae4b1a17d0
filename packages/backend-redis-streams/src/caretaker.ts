/**
 * What a session with group members does from time to time: it says that they are there, and brings back retries that are due. Every session does it
 * for the whole namespace, so that it is done as long as one of them lives.
 */
import type { Clock, Host } from "@halyard/core/spi";
import type { Commands } from "./commands.ts";
import type { GroupReader } from "./group-reader.ts";
import type { Settings } from "./options.ts";
import type { Scripts } from "./scripts/index.ts";

/** A retry whose session died before it was due is brought back by another within this time. */
const tickMsMax = 1_000;
/** Moved in one script: it must not hold up the server. */
const moveMax = 500;
/** Members count as there for so many beats after the last one. */
const beatsMissed = 3;
/** Another session's retries are probably brought back by that session: everybody else comes a little later. */
const courtesyMs = 50;

export class Caretaker {
  readonly #clock: Clock;
  readonly #report: Host["report"];
  readonly #commands: Commands;
  readonly #scripts: Scripts;
  readonly #settings: Settings;
  readonly #reader: GroupReader;
  readonly #consumer: string;
  readonly #beatMs: number;
  #cancelTick: () => void = () => undefined;
  #cancelDue: () => void = () => undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #beatDueMs = 0;
  #isMoving = false;
  #isOver = false;

  constructor(parts: { host: Host; commands: Commands; scripts: Scripts; settings: Settings; reader: GroupReader; consumer: string }) {
    this.#clock = parts.host.clock;
    this.#report = parts.host.report;
    this.#commands = parts.commands;
    this.#scripts = parts.scripts;
    this.#settings = parts.settings;
    this.#reader = parts.reader;
    this.#consumer = parts.consumer;
    this.#beatMs = Math.min(5_000, Math.max(100, parts.settings.leaseMs / 3));
  }

  start(): void {
    this.#tick();
  }

  end(): void {
    this.#isOver = true;
    this.#cancelTick();
    this.#cancelDue();
  }

  /** A retry of ours waits for so long. */
  expect(delayMs: number): void {
    const dueMs = this.#clock.monotonicMs() + delayMs;
    if (this.#isOver || dueMs >= this.#dueMs) return;
    this.#cancelDue();
    this.#dueMs = dueMs;
    this.#cancelDue = this.#clock.after(delayMs, () => {
      this.#dueMs = Number.POSITIVE_INFINITY;
      this.#quietly(this.#moveDue());
    });
  }

  /** Members came or went. */
  async beat(): Promise<void> {
    this.#beatDueMs = this.#clock.monotonicMs() + this.#beatMs;
    const counts = [...this.#reader.queues.values()].filter(({ members }) => members.size > 0).flatMap(({ name, members }) => [name, members.size]);
    const heldMs = Math.ceil(this.#beatMs * beatsMissed + this.#settings.commandTimeoutMs);
    const { dedupMs, history } = this.#settings;
    await this.#commands.run(this.#scripts.heartbeat, [this.#consumer, heldMs, dedupMs, history?.maxAgeMs ?? 0, ...counts]);
  }

  #delayedOf(group: string): string {
    return this.#commands.root + this.#settings.names.delayed + group;
  }

  #tick(): void {
    if (this.#isOver) return;
    this.#cancelTick = this.#clock.after(Math.min(tickMsMax, this.#beatMs), () => this.#tick());
    if (this.#reader.queues.size === 0) return;
    this.#quietly(this.#moveDue());
    if (this.#clock.monotonicMs() >= this.#beatDueMs) this.#quietly(this.beat());
    for (const queue of this.#reader.queues.values()) if (queue.isExclusive) this.#quietly(this.#reader.lookAtLock(queue));
  }

  async #moveDue(): Promise<void> {
    if (this.#isMoving || this.#isOver) return;
    this.#isMoving = true;
    try {
      for (let moved = moveMax; moved >= moveMax && !this.#isOver; ) {
        const [count, nextMs, ...vanished] = (await this.#commands.run(this.#scripts.moveDue, [moveMax])) as [number, number, ...string[]];
        moved = count;
        for (const group of vanished) this.#report({ type: "recreated", what: `sorted set ${this.#delayedOf(group)}`, lost: "unknown" });
        if (nextMs >= 0 && nextMs < tickMsMax) this.expect(nextMs + (nextMs === 0 ? 1 : courtesyMs));
      }
    } finally {
      this.#isMoving = false;
    }
  }

  /** Fails with the session, which then says so itself, or is done again with the next tick. */
  #quietly(work: Promise<unknown>): void {
    work.catch(() => undefined);
  }
}
