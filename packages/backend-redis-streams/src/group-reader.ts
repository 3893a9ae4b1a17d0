/**
 * Fetches for all group members of one session, over one connection of its own: a blocked read holds up everything behind it on the same connection.
 *
 * Redis counts `COUNT` for each stream, so one read over several streams asks for no more than the least of them has room for; streams that had
 * more than that are then read one by one, each with its own room, in one write. The session is one consumer: who of its members gets an entry is
 * decided here, which lets a hundred members share one connection.
 *
 * A read that waits is interrupted when another group gets room or something was given back.
 */
import { type Clock, type Deferred, deferred, HalyardError, type Host, type SettleStatus, sleep } from "@halyard/core/spi";
import type { BlockedReads, Brought } from "./blocked-reads.ts";
import type { Commands } from "./commands.ts";
import { fromRedis, isNoGroup } from "./errors.ts";
import { type Entry, GroupQueue } from "./group-queue.ts";
import type { GroupPort, GroupSubscription } from "./group-subscription.ts";
import { goneEvent, leaveGroups } from "./leaving.ts";
import type { Settings } from "./options.ts";
import { Packer } from "./packer.ts";
import { inParts } from "./parts.ts";
import type { Scripts } from "./scripts/index.ts";

/** Looks for what dead members left, within one lease. */
const recoveriesPerLease = 4;
/** Reads in a row that find no group although it was just made again. */
const revivalsMax = 10;
const revivalPauseMs = 50;
const takeMax = 500;

export interface ReaderParts {
  readonly reads: BlockedReads;
  readonly consumer: string;
  readonly commands: Commands;
  readonly scripts: Scripts;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly report: Host["report"];
  readonly onEnd: (error: HalyardError) => void;
  readonly onDelay: (delayMs: number) => void;
  readonly onMembers: () => void;
  /** Makes the group again where it is lost. `removed`: it was removed on purpose. */
  readonly revive: (queue: GroupQueue) => Promise<string | "removed">;
}

export class GroupReader implements GroupPort {
  readonly leaseMs: number;
  readonly queues = new Map<string, GroupQueue>();
  readonly #parts: ReaderParts;
  readonly clock: Clock;
  readonly #reads: BlockedReads;
  #change: Deferred<void> | undefined;
  #isOver = false;
  #revivals = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.clock = parts.clock;
    this.leaseMs = parts.settings.leaseMs;
    this.#reads = parts.reads;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Adds a member; the group's queue is made with the first one. */
  add(name: string, stream: string, epoch: string, isExclusive: boolean, member: (queue: GroupQueue) => GroupSubscription): GroupSubscription {
    const queue = this.queues.get(name) ?? new GroupQueue(name, stream, epoch);
    queue.isExclusive ||= isExclusive;
    this.queues.set(name, queue);
    const made = member(queue);
    queue.members.add(made);
    this.onCredit(queue);
    return made;
  }

  /** Something of this group was given back, or it was removed. */
  ring(name: string): void {
    const queue = this.queues.get(name);
    if (queue === undefined) return;
    queue.wantsTake = true;
    this.#wake();
  }

  /** The session is over: nothing is fetched any more, and members reject. */
  end(error: HalyardError): void {
    this.#isOver = true;
    for (const queue of this.queues.values()) for (const member of queue.members) member.fail(error);
    this.queues.clear();
    this.#wake();
  }

  /** Gives back everything, whether received or not. Members reject only with `end`. */
  async surrender(): Promise<void> {
    this.#isOver = true;
    this.#wake();
    const { consumer } = this.#parts;
    const names = [...this.queues.keys()];
    await Promise.all([...this.queues.values()].flatMap(({ members }) => [...members].map((member) => member.surrender())));
    await this.#running; // what a read still brings is given back by then
    if (names.length > 0) await leaveGroups(this.#parts, consumer, "own", names);
  }

  // ── For members ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  onCredit(queue: GroupQueue): void {
    const isWanted = queue.free > 0;
    const { isBlocked } = this.#reads;
    if (isBlocked ? isWanted !== this.#reads.covers(queue) : isWanted) this.#wake();
  }

  onDelay(delayMs: number): void {
    this.#parts.onDelay(delayMs);
  }

  async ack(queue: GroupQueue, ids: readonly string[]): Promise<boolean> {
    const { commands, scripts } = this.#parts;
    const isDone = (await commands.run(scripts.ack, [queue.name, queue.epoch, ...ids])) === 1;
    queue.refusedWith = undefined;
    return isDone;
  }

  async settle(queue: GroupQueue, list: Buffer): Promise<readonly (SettleStatus | HalyardError)[]> {
    const { commands, scripts, consumer } = this.#parts;
    const reply = (await commands.run(scripts.settle, [queue.name, consumer, list])) as unknown[];
    const [epoch, gone] = [reply.pop(), reply.pop()];
    queue.refusedWith = undefined;
    if (typeof epoch === "string") queue.epoch = epoch;
    this.#reportGone(queue, Number(gone));
    return reply.map((status) => (status === 0 ? "done" : status === 1 ? "stale" : fromRedis(new Error(String(status)))));
  }

  async extend(queue: GroupQueue, ids: readonly string[]): Promise<readonly string[]> {
    const { commands, scripts, consumer } = this.#parts;
    const [gone, ...lost] = (await commands.run(scripts.extend, [queue.name, consumer, ...ids])) as [number, ...string[]];
    this.#reportGone(queue, gone);
    return lost;
  }

  onRefusal(queue: GroupQueue, { code, message }: HalyardError): void {
    if (queue.refusedWith === code) return;
    queue.refusedWith = code;
    this.#parts.report({ type: "warning", text: `Deliveries of group ${queue.name} cannot be settled now (${message}); it is tried again.` });
  }

  async leave(member: GroupSubscription): Promise<void> {
    const { queue } = member;
    queue.members.delete(member);
    const { consumer } = this.#parts;
    if (queue.members.size === 0 && this.queues.get(queue.name) === queue) {
      this.queues.delete(queue.name);
      await this.#reads.release(queue); // or what it brings would come under a name that is gone
      await leaveGroups(this.#parts, consumer, "own", [queue.name]);
    } else if (queue.isExclusive) {
      this.ring(queue.name); // the next member's turn
    }
    this.#parts.onMembers();
  }

  // ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #run(): Promise<void> {
    try {
      while (!this.#isOver) await this.#step();
    } catch (error) {
      if (!this.#isOver) this.#parts.onEnd(fromRedis(error));
    }
  }

  async #step(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    const takers = [...this.queues.values()].filter((queue) => queue.free > 0 && (queue.wantsTake || queue.nextRecoveryMs <= nowMs));
    if (takers.length > 0) await Promise.all(takers.map((queue) => this.#take(queue, nowMs)));
    const wanted = [...this.queues.values()].filter((queue) => queue.free > 0);
    if (this.#isOver || wanted.some(({ wantsTake }) => wantsTake)) return;
    if (wanted.length === 0) {
      this.#change = deferred<void>();
      await this.#change.promise;
      return;
    }
    const epochs = new Map(wanted.map((queue) => [queue, queue.epoch]));
    try {
      for (const { queue, entries, asked } of await this.#read(wanted)) {
        queue.isHot = entries.length >= asked;
        if (entries.length > 0) await this.#deliver(queue, entries, epochs.get(queue) ?? "");
      }
      this.#revivals = 0;
    } catch (error) {
      if (!isNoGroup(error)) throw error;
      await this.#reviveAll(wanted);
    }
  }

  #read(wanted: readonly GroupQueue[]): Promise<readonly Brought[]> {
    const hot = wanted.length > 1 ? wanted.filter(({ isHot }) => isHot) : [];
    if (hot.length === 0) return this.#reads.read(wanted, this.#waitMs(wanted));
    const cold = wanted.filter(({ isHot }) => !isHot);
    const parts = [...hot.map((queue) => this.#reads.read([queue], 0)), ...(cold.length > 0 ? [this.#reads.read(cold, 0)] : [])];
    return Promise.all(parts).then((brought) => brought.flat());
  }

  /** The next look for what the dead left comes in time although nothing arrives. */
  #waitMs(wanted: readonly GroupQueue[]): number {
    const nextMs = Math.min(...wanted.map(({ nextRecoveryMs }) => nextRecoveryMs)) - this.clock.monotonicMs();
    return Math.max(1, Math.min(this.#parts.settings.blockMs, Math.ceil(nextMs)));
  }

  /** Entries that arrived after their members' credit had gone are given back as if never fetched. */
  async #deliver(queue: GroupQueue, entries: readonly Entry[], epoch: string): Promise<void> {
    if (queue.isExclusive && !(await this.#keepLock(queue, "keep"))) return this.#park(queue, entries);
    const surplus = this.#isOver ? entries : queue.deliver(entries, epoch);
    if (surplus.length > 0) await this.#park(queue, surplus);
  }

  async #park(queue: GroupQueue, entries: readonly Entry[]): Promise<void> {
    for (const part of inParts(entries)) {
      const packer = new Packer();
      packer.array(part.length * 4);
      for (const { id } of part) for (const text of [id, "untouched", "", "0"]) packer.text(text);
      await this.settle(queue, packer.take());
    }
  }

  #reportGone({ stream }: GroupQueue, count: number): void {
    if (count > 0) this.#parts.report(goneEvent(stream, count));
  }

  // ── What was pending before ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #take(queue: GroupQueue, nowMs: number): Promise<void> {
    const { commands, scripts, consumer } = this.#parts;
    queue.wantsTake = false;
    const isRecovery = queue.nextRecoveryMs <= nowMs;
    if (isRecovery) queue.nextRecoveryMs = nowMs + this.leaseMs / recoveriesPerLease;
    const lease = isRecovery ? this.leaseMs : -1;
    const { former } = queue;
    const asked = Math.min(takeMax, queue.free);
    const reply = (await commands.runBytes(scripts.take, [queue.name, consumer, asked, lease, former])) as [Buffer | null, number, ...unknown[]];
    const [epoch, gone, ...rest] = reply;
    if (epoch === null || epoch === undefined) return this.#reviveAll([queue]);
    this.#reportGone(queue, gone);
    if (epoch.toString() !== queue.epoch) {
      const isSame = epoch.toString().split(":")[0] === queue.epoch.split(":")[0];
      if (!isSame) await this.#revive(queue);
      queue.epoch = epoch.toString();
    }
    const entries: Entry[] = [];
    for (let index = 0; index + 2 < rest.length; index += 3) {
      const id = String(rest[index]);
      queue.forget(id);
      entries.push({ id, deliveries: Number(rest[index + 1]), values: rest[index + 2] as Buffer[] });
    }
    if (entries.length + gone >= asked) queue.wantsTake = true;
    else if (queue.former === former) queue.former = "";
    if (entries.length > 0) await this.#deliver(queue, entries, queue.epoch);
  }

  async #reviveAll(queues: readonly GroupQueue[]): Promise<void> {
    if (++this.#revivals > revivalsMax) throw new HalyardError("BACKEND_FAILED", "Groups vanish as soon as they are made again.");
    for (const queue of queues) await this.#revive(queue);
    if (this.#revivals > 1) await sleep(this.clock, revivalPauseMs);
  }

  async #revive(queue: GroupQueue): Promise<void> {
    const epoch = await this.#parts.revive(queue);
    if (epoch !== "removed") {
      queue.epoch = epoch;
      queue.wantsTake = true;
      return;
    }
    this.queues.delete(queue.name);
    const text = `The group ${queue.name} was removed. Subscribe again to make it anew.`;
    for (const member of queue.members) member.fail(new HalyardError("GROUP_REMOVED", text, { details: { group: queue.name } }));
  }

  // ── Exclusive groups ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes the group's lock or keeps it. The lock lapses with the lease, so what the last owner held has lapsed with it, or was given back. */
  async lookAtLock(queue: GroupQueue): Promise<void> {
    const wasOwner = queue.isOwner;
    await this.#keepLock(queue, "take");
    if (queue.isOwner && !wasOwner) {
      queue.wantsTake = true;
      this.#wake();
    }
  }

  async #keepLock(queue: GroupQueue, what: "take" | "keep"): Promise<boolean> {
    const { commands, scripts, consumer } = this.#parts;
    const [isOurs, former] = (await commands.run(scripts.turn, [what, queue.name, consumer, this.leaseMs])) as [number, string?];
    queue.isOwner = isOurs === 1;
    if (former !== undefined) queue.former = former;
    return queue.isOwner;
  }

  /** Lets the loop look again, whatever it waits for. */
  #wake(): void {
    this.#change?.resolve();
    this.#change = undefined;
    this.#reads.interrupt();
  }
}
