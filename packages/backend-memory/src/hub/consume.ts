/** The consuming path: subscribe, receive, settle, close. */
import type { Delivery, Outcome, SettleStatus } from "@halyard/core/spi";
import type { Commands, Now } from "./commands.ts";
import { Consumer } from "./consumer.ts";
import { Entry } from "./entry.ts";
import { Group } from "./group.ts";
import { createGroup, noteIdle } from "./groups.ts";
import { Live } from "./live.ts";
import type { HubState } from "./state.ts";

export function subscribe(state: HubState, { request, client }: Commands["subscribe"], now: Now): Consumer {
  const { inFlightMax, patterns } = request;
  if (request.group === undefined) {
    const live = new Live(patterns, inFlightMax);
    const consumer = new Consumer(client, live, { inFlightMax, credit: inFlightMax, isExclusive: false, leaseMs: undefined });
    live.consumer = consumer;
    state.routes.addLive(live);
    return consumer;
  }
  const { name, from, exclusive, idleExpiryMs } = request.group;
  const group = state.groups.get(name) ?? createGroup(state, name, { patterns, from }, now);
  for (const pattern of patterns) state.routes.addGroupPattern(group, pattern);
  if (idleExpiryMs !== undefined) group.idleExpiryMs = idleExpiryMs;
  // Credit begins at 1: a message that kills its process must not take the others' hand-overs along.
  const consumer = new Consumer(client, group, { inFlightMax, credit: 1, isExclusive: exclusive, leaseMs: state.settings.leaseMs });
  group.join(consumer);
  return consumer;
}

/** What the consumer held is back in its place when this returns, and others may have it already. */
export function unsubscribe(state: HubState, { consumer }: Commands["unsubscribe"], now: Now): undefined {
  if (consumer.isClosed) return;
  consumer.isClosed = true;
  const { source } = consumer;
  if (source instanceof Live) {
    consumer.stopWaiting();
    state.routes.removeLive(source);
    return;
  }
  source.leave(consumer);
  consumer.handed = [];
  state.touch(source);
  noteIdle(state, source, now);
}

export function receive(_state: HubState, { consumer, max }: Commands["receive"], now: Now): readonly Delivery[] {
  const taken = consumer.source.take(consumer, max, now.monotonicMs);
  if (taken.length === 0) consumer.waitFor(max);
  return taken;
}

export function stopReceive(_state: HubState, { consumer }: Commands["stopReceive"]): undefined {
  consumer.stopWaiting();
}

export function credit(state: HubState, { consumer, inFlightMax }: Commands["credit"], now: Now): undefined {
  consumer.credit = Math.max(0, Math.min(consumer.inFlightMax, Math.trunc(inFlightMax)));
  feed(state, consumer, now);
}

/** After credit has come free. */
function feed(state: HubState, consumer: Consumer, now: Now): void {
  if (consumer.wanted === 0) return;
  if (consumer.source instanceof Group) state.touch(consumer.source);
  else consumer.source.dispatch(now.monotonicMs, state.effects.ready);
}

export function settle(state: HubState, { consumer, settlements }: Commands["settle"], now: Now): readonly SettleStatus[] | undefined {
  let statuses: SettleStatus[] | undefined;
  let released: Entry[] | undefined;
  for (let index = 0; index < settlements.length; index++) {
    const settlement = settlements[index];
    if (settlement === undefined) break;
    const { receipt, outcome } = settlement;
    let status: SettleStatus = "done";
    if (!(receipt instanceof Entry) || receipt.holder !== consumer) status = "stale";
    else if (outcome.type === "ack") finish(state, consumer, receipt);
    else if (outcome.type === "move") status = move(state, receipt, outcome, now);
    else {
      // Together at the end, so that they come back in their order; no longer held from here on, so that a receipt works once.
      consumer.drop(receipt);
      released = released ?? [];
      released.push(receipt);
    }
    if (status === "done" && statuses === undefined) continue;
    statuses ??= new Array<SettleStatus>(index).fill("done");
    statuses.push(status);
  }
  if (released !== undefined) giveBack(state, consumer, released, now);
  feed(state, consumer, now);
  return statuses;
}

function finish(state: HubState, consumer: Consumer, entry: Entry): void {
  consumer.drop(entry);
  if (entry.group !== undefined) state.room.remove(entry.bytes);
}

function giveBack(state: HubState, consumer: Consumer, entries: Entry[], now: Now): void {
  const { source } = consumer;
  if (source instanceof Group) {
    source.putBack(entries);
    state.touch(source);
    return;
  }
  entries.sort((a, b) => b.sequence - a.sequence);
  for (const entry of entries) if (source.putBack(entry)) state.effects.gaps.push(source);
  source.dispatch(now.monotonicMs, state.effects.ready);
}

/** One step: the copy is stored and the original gone, or neither. Always taken, also when the hub is full: the message has its room already. */
function move(state: HubState, entry: Entry, outcome: Extract<Outcome, { type: "move" }>, now: Now): SettleStatus {
  const { group, holder } = entry;
  // A live subscription has neither inbox nor dead letters; core publishes to those of the group that it names.
  if (group === undefined || holder === undefined) return "failed";
  const { message } = outcome;
  const bytes = state.sizes.of(message);
  finish(state, holder, entry);
  if (outcome.to === "inbox") {
    state.store(group, message, bytes, outcome.delayMs, now);
  } else {
    state.room.add(bytes);
    state.lettersOf(group.name).add(message, bytes);
  }
  return "done";
}

/** Restarts the lease of what is still held, and returns what is not. */
export function extend(_state: HubState, { consumer, receipts }: Commands["extend"], now: Now): readonly unknown[] {
  const lost: unknown[] = [];
  for (const receipt of receipts) {
    if (receipt instanceof Entry && receipt.holder === consumer) consumer.leaseUntilMs[receipt.slot] = now.monotonicMs + (consumer.leaseMs ?? 0);
    else lost.push(receipt);
  }
  return lost;
}
