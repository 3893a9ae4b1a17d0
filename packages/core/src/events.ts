/** What a bus tells those who listen: `bus.on("dead-letter", …)`. Names are noun-action, values plain data. */
import type { HalyardError } from "./errors.ts";
import type { DeadLetterReason } from "./letter.ts";

interface AboutMessage {
  readonly id: string;
  readonly topic: string;
  /** `undefined` for live subscriptions. */
  readonly group: string | undefined;
  /** The attempt that this is about: 1 for the first handler run. */
  readonly attempt: number;
}

export interface BusEvents {
  /** A session was opened; `isFirst` only once in the life of a bus. */
  "connection-open": { readonly isFirst: boolean };
  /** The session ended without being asked to. The bus reconnects by itself. */
  "connection-loss": { readonly error: Error };
  /** One attempt to connect failed. */
  "connection-failure": { readonly error: Error; readonly attempt: number };
  /** The broker takes no publishes for now. */
  "publish-block": { readonly reason: string };
  "publish-unblock": { readonly reason: string };
  /** A live subscription missed messages. */
  gap: { readonly patterns: readonly string[]; readonly count: number | undefined };
  /** Something of ours had vanished from the broker and was made again. */
  recreation: { readonly what: string; readonly lost: number | "unknown" };
  /** A handler threw or timed out. */
  "handler-failure": AboutMessage & { readonly error: unknown };
  /** The message was put back, to come again after `delayMs` with the next attempt. */
  retry: AboutMessage & { readonly delayMs: number; readonly error: unknown };
  /** The message is in the dead letters of its group. */
  "dead-letter": AboutMessage & { readonly reason: DeadLetterReason; readonly error: unknown };
  /** The message ended without being handled and without a dead letter: expired, or a live handler that failed for good. */
  "message-drop": AboutMessage & { readonly reason: "expired" | "failed" | "duplicate"; readonly error: unknown };
  /** A delivery was not settled because its lease had lapsed; it comes again. */
  "lease-loss": AboutMessage;
  /** A subscription ended by itself: its group was removed, or the broker cannot do any more what it relies on. */
  "subscription-stop": { readonly patterns: readonly string[]; readonly group: string | undefined; readonly error: HalyardError };
  /** Something a person should look at. */
  warning: { readonly text: string; readonly error: Error | undefined };
}

/** Of all events, so that a misspelt one is noticed. */
export const eventNames: Readonly<Record<keyof BusEvents, true>> = {
  "connection-open": true,
  "connection-loss": true,
  "connection-failure": true,
  "publish-block": true,
  "publish-unblock": true,
  gap: true,
  recreation: true,
  "handler-failure": true,
  retry: true,
  "dead-letter": true,
  "message-drop": true,
  "lease-loss": true,
  "subscription-stop": true,
  warning: true,
};
