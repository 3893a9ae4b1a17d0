/**
 * The hub under random commands in simulated time, beside a model that knows for each group which messages it must still hold. Nothing accepted is
 * lost, nothing comes twice at once, and the hub's own counts add up after every command.
 */
import type { Delivery, Outcome } from "@halyard/core/spi";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Commands, Results } from "../../src/hub/commands.ts";
import type { Consumer } from "../../src/hub/consumer.ts";
import { Hub } from "../../src/hub/hub.ts";
import { groupRequest, patterns, wireMessage } from "../sample.ts";

const groupNames = ["alpha", "beta"] as const;
const leaseMs = 500;

interface Member {
  readonly group: string;
  readonly consumer: Consumer;
  /** Handed over and not settled as far as the member knows. */
  held: { delivery: Delivery; sinceMs: number }[];
  isOpen: boolean;
}

class Model {
  readonly hub = new Hub(
    { messagesMax: 60, bytesMax: 10_000, bodyBytesMax: 1_000, dedupMs: 0, dedupIdsMax: 10, history: { messagesMax: 5, bytesMax: 1_000 }, leaseMs },
    () => 0.1,
  );
  readonly members: Member[] = [];
  /** What each existing group must still deliver. */
  readonly owed = new Map<string, Set<string>>();
  readonly dead = new Map<string, Set<string>>();
  readonly #pending: { consumer: Consumer; deliveries: readonly Delivery[] }[] = [];
  nowMs = 0;
  published = 0;

  apply<Type extends keyof Commands>(type: Type, command: Commands[Type]): Results[Type] {
    const result = this.hub.apply(type, command, { wallMs: 50_000 + this.nowMs, monotonicMs: this.nowMs });
    const { effects } = this.hub;
    for (const consumer of effects.ready.splice(0)) this.#pending.push({ consumer, deliveries: consumer.takeHanded() });
    for (const consumer of effects.removed.splice(0)) for (const member of this.members) if (member.consumer === consumer) member.isOpen = false;
    return result;
  }

  /** After a step, once the model knows what the command has changed. */
  handOverPending(): void {
    for (const { consumer, deliveries } of this.#pending.splice(0)) this.handOver(consumer, deliveries);
  }

  handOver(consumer: Consumer, deliveries: readonly Delivery[]): void {
    const member = this.members.find((candidate) => candidate.consumer === consumer);
    if (member === undefined) throw new Error("handed to nobody");
    for (const delivery of deliveries) {
      const { id } = delivery.message;
      expect(this.owed.get(member.group)?.has(id), `${id} was delivered to ${member.group}, which had it no more`).toBe(true);
      // Nobody else may hold it: but by a lease that has lapsed.
      for (const other of this.members) {
        const isHeld = other.isOpen && other.group === member.group && other.held.some((held) => held.delivery.message.id === id && this.isLeased(held));
        expect(isHeld, `${id} is in two hands`).toBe(false);
      }
      member.held.push({ delivery, sinceMs: this.nowMs });
    }
    expect(consumer.inFlight.length).toBeLessThanOrEqual(consumer.credit);
  }

  /** Of the members that asked for `exclusive` only the oldest is served; the others compete beside it. */
  isActive(group: string, consumer: Consumer): boolean {
    const first = this.members.find((member) => member.isOpen && member.group === group && member.consumer.isExclusive);
    return !consumer.isExclusive || first?.consumer === consumer;
  }

  isLeased(held: { sinceMs: number }): boolean {
    return this.nowMs < held.sinceMs + leaseMs;
  }

  assertCounts(): void {
    let stored = 0;
    for (const name of groupNames) {
      const info = this.hub.group(name);
      expect(info === undefined).toBe(!this.owed.has(name));
      const held = (info?.waiting ?? 0) + (info?.delayed ?? 0) + (info?.inFlight ?? 0);
      expect(held, `${name} holds what it owes`).toBe(this.owed.get(name)?.size ?? 0);
      expect(this.hub.deadLetters(name)?.count ?? 0).toBe(this.dead.get(name)?.size ?? 0);
      stored += held + (this.dead.get(name)?.size ?? 0);
    }
    for (const { group, consumer } of this.members) {
      const isStarving = consumer.isHungry && !consumer.isClosed && (this.hub.group(group)?.waiting ?? 0) > 0;
      expect(isStarving && this.isActive(group, consumer), `a member of ${group} waits beside waiting messages`).toBe(false);
    }
    expect(this.hub.stored.messages).toBe(stored);
    expect(this.hub.stored.bytes).toBe(stored * 3);
  }
}

type Action = (model: Model) => void;

const memberOf = (model: Model, pick: number): Member | undefined => model.members[pick % Math.max(1, model.members.length)];
const group = fc.constantFrom(...groupNames);

const publish = fc.record({ count: fc.integer({ min: 1, max: 8 }), priority: fc.nat(9) }).map(
  ({ count, priority }): Action =>
    (model) => {
      const messages = Array.from({ length: count }, () => wireMessage(`m${model.published++}`, { priority }));
      const statuses = model.apply("publish", { messages, request: { isFirstSend: true } });
      for (const [index, message] of messages.entries()) {
        const isAccepted = (statuses?.[index]?.status ?? "accepted") === "accepted";
        if (isAccepted) for (const owed of model.owed.values()) owed.add(message.id);
        else expect(statuses?.slice(index).every((status) => status.status === "refused")).toBe(true);
      }
    },
);

const sendLater = fc.record({ name: group, delayMs: fc.nat(400) }).map(
  ({ name, delayMs }): Action =>
    (model) => {
      const message = wireMessage(`m${model.published++}`, { notBeforeMs: 50_000 + model.nowMs + delayMs });
      const statuses = model.apply("publish", { messages: [message], request: { target: { group: name } } });
      if (statuses === undefined) model.owed.get(name)?.add(message.id);
      else expect(statuses[0]?.status).toBe("refused");
    },
);

const join = fc.record({ name: group, exclusive: fc.boolean(), credit: fc.integer({ min: 1, max: 6 }) }).map(
  ({ name, exclusive, credit }): Action =>
    (model) => {
      const client = {
        ready: () => expect.fail("the hub called out"),
        gap: () => expect.fail("the hub called out"),
        removed: () => expect.fail("the hub called out"),
      };
      const consumer = model.apply("subscribe", { request: groupRequest(name, { exclusive }, 6), client });
      model.members.push({ group: name, consumer, held: [], isOpen: true });
      if (!model.owed.has(name)) model.owed.set(name, new Set());
      model.apply("credit", { consumer, inFlightMax: credit });
    },
);

const leave = fc.nat().map(
  (pick): Action =>
    (model) => {
      const member = memberOf(model, pick);
      if (member === undefined) return;
      member.isOpen = false;
      model.apply("unsubscribe", { consumer: member.consumer });
    },
);

const receive = fc.record({ pick: fc.nat(), max: fc.integer({ min: 1, max: 5 }) }).map(
  ({ pick, max }): Action =>
    (model) => {
      const member = memberOf(model, pick);
      if (member === undefined || !member.isOpen || member.consumer.wanted > 0) return;
      model.handOver(member.consumer, model.apply("receive", { consumer: member.consumer, max }));
    },
);

const settle = fc.record({ pick: fc.nat(), from: fc.nat(3), count: fc.integer({ min: 1, max: 4 }), kind: fc.nat(3), delayMs: fc.nat(300) }).map(
  ({ pick, from, count, kind, delayMs }): Action =>
    (model) => {
      const member = memberOf(model, pick);
      if (member === undefined) return;
      const chosen = member.held.splice(from % Math.max(1, member.held.length), count);
      const outcomeOf = (delivery: Delivery): Outcome => {
        if (kind === 0) return { type: "ack" };
        if (kind === 1) return { type: "release" };
        return { type: "move", to: kind === 2 ? "inbox" : "dead-letters", message: delivery.message, delayMs: kind === 2 ? delayMs : 0 };
      };
      const owed = model.owed.get(member.group);
      const isCurrent = (held: { sinceMs: number }): boolean => member.isOpen && model.isLeased(held);
      // What is freed may be handed over within the same command, so the model changes first, by what must happen.
      const expected = chosen.map((held) => (isCurrent(held) ? "done" : "stale"));
      for (const held of chosen) {
        if (!isCurrent(held) || kind === 1 || kind === 2) continue;
        owed?.delete(held.delivery.message.id);
        if (kind === 3) model.dead.set(member.group, (model.dead.get(member.group) ?? new Set()).add(held.delivery.message.id));
      }
      const settlements = chosen.map(({ delivery }) => ({ receipt: delivery.receipt, outcome: outcomeOf(delivery) }));
      expect(model.apply("settle", { consumer: member.consumer, settlements }) ?? expected).toEqual(expected);
      const again = model.apply("settle", { consumer: member.consumer, settlements });
      expect(again ?? []).toEqual(chosen.map(() => "stale"));
    },
);

const wait = fc.nat(700).map(
  (byMs): Action =>
    (model) => {
      // As the driver's timer does: to every due time on the way.
      const untilMs = model.nowMs + byMs;
      while (model.hub.nextDueMs <= untilMs) {
        model.nowMs = Math.max(model.nowMs, model.hub.nextDueMs);
        model.apply("advance", {});
        model.handOverPending();
      }
      model.nowMs = untilMs;
    },
);

const remove = group.map(
  (name): Action =>
    (model) => {
      model.owed.delete(name);
      model.apply("removeGroup", { name });
    },
);

const redriveAll = group.map(
  (name): Action =>
    (model) => {
      const [letters] = [...(model.hub.deadLetters(name)?.pages(100) ?? [])];
      const owed = model.owed.get(name);
      if (letters === undefined || owed === undefined) return;
      for (const { message } of letters) owed.add(message.id);
      model.dead.delete(name);
      model.apply("judge", { group: name, letters, verdicts: letters.map(({ message }) => ({ redrive: message })) });
    },
);

const weighted = fc.oneof(
  { weight: 6, arbitrary: publish },
  { weight: 2, arbitrary: sendLater },
  { weight: 2, arbitrary: join },
  { weight: 1, arbitrary: leave },
  { weight: 6, arbitrary: receive },
  { weight: 5, arbitrary: settle },
  { weight: 3, arbitrary: wait },
  { weight: 1, arbitrary: redriveAll },
  { weight: 1, arbitrary: remove },
);

test("whatever happens, a group delivers exactly what it owes, each message to one member at a time", () => {
  fc.assert(
    fc.property(fc.array(weighted, { maxLength: 150, size: "max" }), (actions) => {
      const model = new Model();
      for (const action of actions) {
        action(model);
        model.handOverPending();
        model.assertCounts();
      }
      drain(model);
    }),
    { numRuns: 300 },
  );
});

/** In the end everything that is owed comes, once, to a member that takes it all. */
function drain(model: Model): void {
  for (const member of model.members) {
    member.isOpen = false;
    model.apply("unsubscribe", { consumer: member.consumer });
  }
  model.nowMs += 10_000;
  model.apply("advance", {});
  const client = { ready: () => undefined, gap: () => undefined, removed: () => undefined };
  for (const [name, owed] of model.owed) {
    const consumer = model.apply("subscribe", {
      request: { patterns: patterns("#"), inFlightMax: 1_000, group: { name, from: "new", exclusive: false } },
      client,
    });
    model.apply("credit", { consumer, inFlightMax: 1_000 });
    const ids = model.apply("receive", { consumer, max: 1_000 }).map(({ message }) => message.id);
    expect([...ids].sort()).toEqual([...owed].sort());
  }
}
