/** The members of groups on one session: how they come, and what they are told when a group changes or its consumers are gone. */
import { type BackendSubscription, type GroupRequest, type HalyardError, type Host, isHalyardError, type SubscribeRequest, sleep } from "@halyard/core/spi";
import type { GroupRecord } from "./group-record.ts";
import type { GroupStore } from "./group-store.ts";
import { GroupSubscription } from "./group-subscription.ts";
import { abortable } from "./jetstream-api.ts";
import type { LockParts } from "./lease-lock.ts";
import type { Leftovers } from "./leftovers.ts";
import type { Mover } from "./mover.ts";
import { memberSubject } from "./names.ts";
import type { Settings } from "./options.ts";
import { payloadBytesMaxOf } from "./outgoing.ts";
import type { RoundTrips } from "./round-trips.ts";

const repairPauseMs = 500;

export interface MembersParts extends LockParts {
  readonly roundTrips: RoundTrips;
  readonly host: Host;
  readonly settings: Settings;
  readonly apiPrefix: string;
  readonly groups: GroupStore;
  readonly mover: Mover;
  readonly leftovers: Leftovers;
  /** Makes missing streams again. */
  repairStreams(): Promise<void>;
  /** @throws CONNECTION_LOST once the session has ended */
  assertAlive(): void;
  isOver(): boolean;
}

export class Members {
  readonly #parts: MembersParts;
  readonly #members = new Set<GroupSubscription>();
  /** Whether groups are there, as last read; what is told to have changed is read again. */
  readonly #known = new Map<string, Promise<boolean>>();

  constructor(parts: MembersParts) {
    this.#parts = parts;
  }

  [Symbol.iterator](): Iterator<GroupSubscription> {
    return this.#members.values();
  }

  async subscribe(request: SubscribeRequest, group: GroupRequest, signal: AbortSignal): Promise<BackendSubscription> {
    const { host, groups, mover, assertAlive } = this.#parts;
    const { name, from, idleExpiryMs } = group;
    const what = `Subscribing to group ${name}`;
    if (idleExpiryMs !== undefined)
      host.report({ type: "warning", text: `idleExpiryMs of group ${name} has no effect on NATS: groups stay until they are removed.` });
    const { record, ackWaitMs, remade } = await abortable(signal, what, groups.define(name, { add: request.patterns, drop: [] }, from));
    for (const one of remade) host.report({ type: "recreated", what: one, lost: "unknown" });
    await abortable(signal, what, mover.start());
    assertAlive();
    this.#known.delete(name);
    const member = this.#join(record, group, ackWaitMs, request.inFlightMax);
    try {
      await abortable(signal, what, member.start());
    } catch (thrown) {
      await member.close();
      throw thrown;
    }
    return member;
  }

  #join(record: GroupRecord, { name, exclusive }: GroupRequest, ackWaitMs: number, inFlightMax: number): GroupSubscription {
    const { connection, topology, settings, mover } = this.#parts;
    const presence = exclusive
      ? undefined
      : connection.subscribe(memberSubject(settings, topology, "beside", name), { callback: (_, message) => void message.respond() });
    const member = new GroupSubscription(record, {
      ...this.#parts,
      group: name,
      inFlightMax,
      ackWaitMs,
      requestTimeoutMs: settings.requestTimeoutMs,
      exclusive: exclusive ? this.#parts : undefined,
      payloadBytesMax: () => payloadBytesMaxOf(connection),
      reload: () => this.reload(name),
      repair: (subscription) => this.#repair(subscription),
      ensureClass: (delayClass) => mover.ensure(delayClass),
      onClose: (subscription) => {
        this.#members.delete(subscription);
        if (!connection.isClosed()) presence?.unsubscribe();
      },
    });
    this.#members.add(member);
    return member;
  }

  watch(nowMs: number): void {
    for (const member of this.#members) member.watch(nowMs);
    if (this.#members.size > 0) this.#parts.leftovers.watch(nowMs);
  }

  /** Gives back what is held. `over`: what calls are refused with afterwards. Never rejects. */
  async close(over?: HalyardError): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.close(over).catch(() => undefined))); // a member that failed has ended as well
  }

  /** Known groups are remembered until something about them is told. */
  hasGroup(group: string): Promise<boolean> {
    let known = this.#known.get(group);
    if (known === undefined) {
      known = this.#parts.groups.find(group).then((record) => {
        if (record === undefined) this.#known.delete(group);
        return record !== undefined;
      });
      known.catch(() => this.#known.delete(group));
      this.#known.set(group, known);
    }
    return known;
  }

  /** Somebody may have changed the group. */
  onHint(group: string): void {
    this.#known.delete(group);
    if (this.#of(group).length > 0) this.reload(group).catch(() => undefined); // the next hint, or a consumer that is gone, asks again
  }

  /** Tells the group's members its newest definition. */
  async reload(group: string): Promise<void> {
    this.#known.delete(group);
    const members = this.#of(group);
    if (members.length === 0) return;
    const stored = await this.#parts.groups.load(group);
    if (stored !== undefined) for (const member of members) member.update(stored.record);
  }

  #of(group: string): readonly GroupSubscription[] {
    return [...this.#members].filter((member) => member.group === group);
  }

  /** A member's consumer is gone. Where the group was not removed on purpose, streams and consumers are made again. */
  async #repair(member: GroupSubscription): Promise<void> {
    const { host, groups, repairStreams, isOver } = this.#parts;
    const { group } = member;
    try {
      await repairStreams();
      let stored = await groups.load(group);
      if (stored === undefined) {
        await groups.restore(group, member.record);
        stored = await groups.load(group);
      }
      if (stored !== undefined) member.update(stored.record);
      if (member.isOver || stored === undefined) return;
      const { remade, record } = await groups.ensureConsumers(group, stored.record);
      member.update(record);
      for (const what of remade) host.report({ type: "recreated", what, lost: "unknown" });
    } catch (thrown) {
      if (isOver()) return;
      if (isHalyardError(thrown) && !thrown.retryable && thrown.code !== "BACKEND_FAILED") member.fail(thrown);
      else await sleep(host.clock, repairPauseMs);
    }
  }
}
