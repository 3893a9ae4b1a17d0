/** What a handler gets beside the message. */
import type { PublishOptions } from "./envelope.ts";
import type { Logger } from "./logger.ts";
import type { PublishReceipt } from "./outgoing.ts";

export interface HandlerContext {
  /** 1 + failed handler runs of this message in this group. */
  readonly attempt: number;
  /** The broker's hand-overs of this copy: above 1 when somebody had it before and died, gave it back or lost it. */
  readonly deliveries: number;
  /** `undefined` in a live subscription. */
  readonly group: string | undefined;
  /** Aborts when the handler's work has become pointless: its time is up, its lease is lost, or the bus shuts down and its patience has ended. */
  readonly signal: AbortSignal;
  /** The bus's logger with the message's id, topic, group and attempt. */
  readonly logger: Logger;
  /** Like `bus.publish`; the new message carries this one's correlation id (or its id) and its id as causation id. */
  publish(topic: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt>;
  /**
   * Answers: puts a message into the inbox of the group that this message names in `replyTo`, and nowhere else, in the same conversation. Rejects with
   * `INVALID_OPTIONS` where it names none, `NO_SUCH_GROUP` where that group is not there, and as `bus.publish` does.
   */
  reply(topic: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt>;
  /**
   * Asks that the message comes again, after `delayMs` or what the policy says. Takes effect when the handler ends, however it ends;
   * counts as a failed attempt.
   */
  retry(delayMs?: number): void;
  /** Asks that the message becomes a dead letter when the handler ends, however it ends. */
  deadLetter(reason: string): void;
}
