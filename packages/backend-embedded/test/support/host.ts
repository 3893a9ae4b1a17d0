import { type BackendEvent, type Clock, type Host, systemClock, type WireMessage } from "@halyard/core/spi";

let hosts = 0;

/** A host as core lends it, with a name of its own, that remembers what was reported. */
export function testHost(clientName = `client-${++hosts}`, clock: Clock = systemClock): Host & { readonly events: BackendEvent[] } {
  const events: BackendEvent[] = [];
  return { namespace: "halyard", clientName, clock, random: () => 0.5, report: (event) => void events.push(event), events };
}

export const never: AbortSignal = new AbortController().signal;

/** A message with defaults for all that is not given. */
export function wire(fields: Partial<WireMessage> = {}): WireMessage {
  return {
    topic: "task.submitted",
    id: "id-1",
    timeMs: 1_763_719_200_123,
    attempt: 1,
    contentType: "application/json",
    contentEncoding: undefined,
    body: Buffer.from("{}"),
    value: undefined,
    headers: {},
    priority: 4,
    persistent: true,
    key: undefined,
    type: undefined,
    source: undefined,
    correlationId: undefined,
    replyTo: undefined,
    expiresAtMs: undefined,
    notBeforeMs: undefined,
    ...fields,
  };
}

/** All fields that travel, as one comparable object. */
export function fieldsOf(message: WireMessage): unknown {
  const { topic, id, timeMs, attempt, contentType, contentEncoding, body, headers, priority, persistent } = message;
  const { key, type, source, correlationId, replyTo, expiresAtMs, notBeforeMs } = message;
  const rest = { key, type, source, correlationId, replyTo, expiresAtMs, notBeforeMs };
  return {
    topic,
    id,
    timeMs,
    attempt,
    contentType,
    contentEncoding,
    body: Buffer.from(body).toString("base64"),
    headers: { ...headers },
    priority,
    persistent,
    ...rest,
  };
}

/** Waits for a condition; fails after the deadline with what was waited for. */
export async function until(what: string, isMet: () => boolean | Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const giveUpMs = systemClock.monotonicMs() + deadlineMs;
  while (!(await isMet())) {
    if (systemClock.monotonicMs() > giveUpMs) throw new Error(`Waited ${deadlineMs} ms in vain: ${what}.`);
    await new Promise<void>((resolve) => systemClock.after(5, resolve));
  }
}
