/** Subscribing and receiving at the level of the session. */
import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { type BackendSubscription, type Delivery, type GroupRequest, type Outcome, parsePattern, type Session, type WireMessage } from "@halyard/core/spi";

/** How long `receivesNothing` listens: long enough for a backend to do the wrong thing, too short to prove that it never would. */
const listenMs = 150;
const receiveDeadlineMs = 15_000;

/** A signal that never aborts, for calls whose end nobody wants to force. */
export const never: AbortSignal = new AbortController().signal;
setMaxListeners(0, never); // all calls of all cases listen to it

export interface PullOptions {
  readonly group?: string;
  readonly inFlightMax?: number;
  /** What core would give after its first look; default `inFlightMax`. */
  readonly credit?: number;
  readonly from?: GroupRequest["from"];
  readonly exclusive?: boolean;
}

/** Subscribes as core does, and opens the credit. */
export async function pull(session: Session, patterns: string | readonly string[], options: PullOptions = {}): Promise<BackendSubscription> {
  const { group, inFlightMax = 10, credit = inFlightMax, from = "new", exclusive = false } = options;
  const list = typeof patterns === "string" ? [patterns] : patterns;
  const request = { patterns: list.map(parsePattern), inFlightMax, group: group === undefined ? undefined : { name: group, from, exclusive } };
  const subscription = await session.subscribe(request, never);
  if (group !== undefined) subscription.credit(credit);
  return subscription;
}

/** Exactly `count` deliveries. `why` says in the error what it means that they do not come. */
export async function receives(subscription: BackendSubscription, count: number, why?: string, deadlineMs = receiveDeadlineMs): Promise<readonly Delivery[]> {
  const received: Delivery[] = [];
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), deadlineMs);
  while (received.length < count && !controller.signal.aborted) received.push(...(await subscription.receive(count - received.length, controller.signal)));
  clearTimeout(timer);
  const came = `${received.length} of ${count} deliveries came within ${deadlineMs} ms`;
  assert.equal(received.length, count, why === undefined ? came : `${why}: ${came}`);
  return received;
}

export async function receivesOne(subscription: BackendSubscription): Promise<Delivery> {
  const [delivery] = await receives(subscription, 1);
  assert.ok(delivery, "receive resolved without a delivery, and nobody had aborted it");
  return delivery;
}

/** Listens for a moment and fails where something comes. */
export async function receivesNothing(subscription: BackendSubscription, why: string): Promise<void> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), listenMs);
  const received = await subscription.receive(10, controller.signal);
  clearTimeout(timer);
  assert.deepEqual(
    received.map(({ message }) => message.id),
    [],
    why,
  );
}

/** Settles one delivery and requires that it was done. */
export async function settles(subscription: BackendSubscription, delivery: Delivery, outcome: Outcome = { type: "ack" }): Promise<void> {
  const statuses = await subscription.settle([{ receipt: delivery.receipt, outcome }]);
  assert.equal(statuses?.[0] ?? "done", "done", `settling with ${outcome.type}`);
}

export const moveTo = (to: "inbox" | "dead-letters", message: WireMessage, delayMs = 0): Outcome => ({ type: "move", to, message, delayMs });

/** Publishes and requires that all were accepted. */
export async function accepts(session: Session, messages: readonly WireMessage[], request: Partial<Parameters<Session["publish"]>[1]> = {}): Promise<void> {
  const statuses = await session.publish(messages, { signal: never, ...request });
  for (const status of statuses ?? []) assert.equal(status.status, "accepted", status.status === "accepted" ? "" : status.error.message);
}

/** All letters of a group, oldest first. */
export async function lettersOf(session: Session, group: string): Promise<readonly WireMessage[]> {
  const letters: WireMessage[] = [];
  await session.deadLetters.walk(group, { pageMax: 100, signal: never }, async (page) => {
    letters.push(...page);
    return page.map(() => "keep" as const);
  });
  return letters;
}
