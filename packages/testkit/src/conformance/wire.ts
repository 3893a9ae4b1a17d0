/** Wire messages for cases at the level of the session. */
import { randomUUID } from "node:crypto";
import type { WireMessage } from "@halyard/core/spi";

/** A message as core would make it, its payload in JSON. */
export function wire(topic: string, payload: unknown, fields: Partial<WireMessage> = {}): WireMessage {
  return {
    topic,
    id: randomUUID(),
    timeMs: Date.now(),
    attempt: 1,
    contentType: "application/json",
    body: Buffer.from(JSON.stringify(payload) ?? "null"),
    headers: {},
    priority: 4,
    persistent: true,
    ...fields,
  };
}

/** What the body of a message made by `wire` says. */
export const textOf = (message: WireMessage): string => Buffer.from(message.body).toString();
