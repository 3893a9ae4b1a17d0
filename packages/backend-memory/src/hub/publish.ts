/** The publishing path: one batch in, `undefined` or one status a message out. */
import { HalyardError, type PublishStatus, type WireMessage } from "@halyard/core/spi";
import type { Commands, Now } from "./commands.ts";
import { Entry } from "./entry.ts";
import { makeRoom } from "./expiry.ts";
import type { Live } from "./live.ts";
import type { Route } from "./routes.ts";
import { delayOf, type HubState } from "./state.ts";

type Request = Commands["publish"]["request"];
const accepted: PublishStatus = Object.freeze({ status: "accepted" });

export function publish(state: HubState, { messages, request }: Commands["publish"], now: Now): readonly PublishStatus[] | undefined {
  const publishOne = request.target === undefined ? publishToTopic : publishToTarget;
  const hasStatuses = request.positions === true;
  let statuses: PublishStatus[] | undefined = hasStatuses ? [] : undefined;
  state.dedup.advance(now.monotonicMs);
  for (let index = 0; index < messages.length; index++) {
    const message = messages[index];
    if (message === undefined) break;
    const status = publishOne(state, message, request, now);
    if (status === accepted && statuses === undefined) continue;
    statuses ??= new Array<PublishStatus>(index).fill(accepted);
    statuses.push(status);
    // Order: what follows a message that found no room may not overtake it.
    if (status.status === "refused" && isBackpressure(status.error)) {
      while (statuses.length < messages.length) statuses.push(status);
      break;
    }
  }
  return statuses;
}

/** The same checks for a message of no size, without one. */
export function probeRoom(state: HubState, _command: Commands["probe"], now: Now): string | undefined {
  state.dedup.advance(now.monotonicMs);
  if (state.dedup.isFull) return dedupFull(state);
  return state.room.has(1, 0) || makeRoom(state, 1, 0, now) ? undefined : state.room.describe(1, 0);
}

function publishToTopic(state: HubState, message: WireMessage, request: Request, now: Now): PublishStatus {
  const bytes = state.sizes.of(message);
  if (message.body.byteLength > state.settings.bodyBytesMax) return tooLarge(state, message);
  const route = state.routes.of(message.topic);
  state.dedup.look(route.hash, message.id);
  if (request.isFirstSend !== true && state.dedup.isKnown()) return repeated(state, message);
  const delayMs = delayOf(message, now);
  // A delayed message is kept once more, for the live subscriptions there will be when it is due.
  const copies = route.groups.length + (delayMs > 0 ? 1 : 0);
  if (!state.room.has(copies, bytes) && !makeRoom(state, copies, bytes, now)) return noRoom(state.room.describe(copies, bytes));
  if (state.dedup.isFull) return noRoom(dedupFull(state));
  state.dedup.add();
  state.history?.append(message, bytes);
  for (let index = 0; index < route.groups.length; index++) {
    const group = route.groups[index];
    if (group !== undefined) state.store(group, message, bytes, delayMs, now);
  }
  if (delayMs > 0) {
    state.room.add(bytes);
    state.delayed.push(new Entry(message, undefined, bytes, 0), now.monotonicMs + delayMs);
  } else if (route.lives.length > 0) {
    fanOut(state, route, message, now);
  }
  return request.positions === true && state.history !== undefined ? { status: "accepted", position: String(state.history.lastPosition) } : accepted;
}

function publishToTarget(state: HubState, message: WireMessage, { target }: Request, now: Now): PublishStatus {
  const bytes = state.sizes.of(message);
  if (message.body.byteLength > state.settings.bodyBytesMax) return tooLarge(state, message);
  if (!state.room.has(1, bytes) && !makeRoom(state, 1, bytes, now)) return noRoom(state.room.describe(1, bytes));
  if (target !== undefined && "deadLetters" in target) {
    state.room.add(bytes);
    state.lettersOf(target.deadLetters).add(message, bytes);
    return accepted;
  }
  const name = target?.group ?? "";
  const group = state.groups.get(name);
  if (group === undefined) return { status: "refused", error: noSuchGroup(name) };
  state.store(group, message, bytes, delayOf(message, now), now);
  return accepted;
}

/** To every live subscription that matches now. */
export function fanOut(state: HubState, route: Route, message: WireMessage, now: Now): void {
  for (let index = 0; index < route.lives.length; index++) {
    const live = route.lives[index];
    if (live !== undefined) addToLive(state, live, message, now);
  }
}

function addToLive(state: HubState, live: Live, message: WireMessage, now: Now): void {
  if (live.add(message)) state.effects.gaps.push(live);
  if (live.waiting > 0) live.dispatch(now.monotonicMs, state.effects.ready);
}

/** The id is known: the same message again is accepted and goes nowhere; another one under its id is a mistake that must be seen. */
function repeated(state: HubState, message: WireMessage): PublishStatus {
  const earlier = state.history?.find(message.id, message.topic)?.message;
  if (earlier === undefined || isSameContent(earlier, message)) return { status: "accepted", duplicate: true };
  const text = `The id ${message.id} was published to ${message.topic} before with another body. Give every message an id of its own.`;
  return { status: "refused", error: new HalyardError("ID_REUSED", text, { details: { id: message.id, topic: message.topic } }) };
}

function isSameContent(a: WireMessage, b: WireMessage): boolean {
  // Payloads by reference cannot be compared: equal ones are different objects. Simple values can.
  if (a.value !== undefined || b.value !== undefined) {
    const [first, second] = [a.value?.payload, b.value?.payload];
    return (typeof first === "object" && typeof second === "object") || Object.is(first, second);
  }
  return a.body.byteLength === b.body.byteLength && a.body.every((byte, index) => byte === b.body[index]);
}

const isBackpressure = (error: Error): boolean => error instanceof HalyardError && error.code === "BACKPRESSURE";

export const noSuchGroup = (name: string): HalyardError =>
  new HalyardError("NO_SUCH_GROUP", `There is no group "${name}". Subscribe to it or define it first.`, { details: { group: name } });

const dedupFull = (state: HubState): string =>
  `the ids of the last ${state.settings.dedupMs} ms are remembered, and ${state.settings.dedupIdsMax} are the most (options dedupMs and dedupIdsMax of memory())`;

export const noRoomError = (reason: string): HalyardError =>
  new HalyardError("BACKPRESSURE", `No room: ${reason}. Let consumers catch up or raise the option.`);

function noRoom(reason: string): PublishStatus {
  return { status: "refused", error: noRoomError(reason) };
}

function tooLarge(state: HubState, message: WireMessage): PublishStatus {
  const text = `The body has ${message.body.byteLength} bytes, ${state.settings.bodyBytesMax} are the most (option bodyBytesMax of memory()).`;
  return { status: "refused", error: new HalyardError("PAYLOAD_TOO_LARGE", text, { details: { id: message.id } }) };
}
