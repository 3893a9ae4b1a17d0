/** What users see of a message: the envelope that core packs into a wire message and unpacks from one. */
export interface Message<Payload = unknown, Topic extends string = string> {
  /** `[A-Za-z0-9._:/-]{1,128}`; a UUIDv7 unless the publisher gave one. The same at every redelivery and retry. */
  readonly id: string;
  /** Where it was published, never a pattern. */
  readonly topic: Topic;
  /** Decoded, and where `topics` have a schema for it also validated: then it is the schema's output. */
  readonly payload: Payload;
  /** When it was published, milliseconds since 1970 on the publisher's clock. */
  readonly timeMs: number;
  /** The publisher's headers; Halyard's own are left out. */
  readonly headers: Readonly<Record<string, string>>;
  /** 0 (last) to 9 (first). */
  readonly priority: number;
  /** Messages of one key are handled in order by `ordered` subscriptions. */
  readonly key: string | undefined;
  /** What kind of message it is, in the publisher's words. */
  readonly type: string | undefined;
  /** The `source` of the bus that published it. */
  readonly source: string | undefined;
  /** Common to all messages of one conversation. */
  readonly correlationId: string | undefined;
  /** The id of the message that was being handled when this one was published. */
  readonly causationId: string | undefined;
  /** Name of the group whose inbox takes answers: `context.reply` sends there. */
  readonly replyTo: string | undefined;
  /** Milliseconds since 1970; `undefined`: never. */
  readonly expiresAtMs: number | undefined;
}

/** 0 (last) to 9 (first), or a word: low 2, normal 4 (the default), high 6, critical 8. */
export type Priority = number | "low" | "normal" | "high" | "critical";

export const priorityWords = { low: 2, normal: 4, high: 6, critical: 8 } as const;
export const priorityDefault = 4;

/** The headers of all messages that have none: one object, which the hot path recognises. No prototype: a header called `constructor` is just a header. */
export const noHeaders: Readonly<Record<string, string>> = Object.freeze(Object.create(null) as Record<string, string>);

/**
 * Headers that core writes for itself. They are not shown to handlers, and users cannot set them.
 * Names are part of the wire format: other languages may read them, so they are never renamed.
 */
export const ownHeaders = {
  causationId: "halyard-causation-id",
  /** Overrides `retry.attemptsMax` for this message. */
  attemptsMax: "halyard-attempts-max",
  /** The group it was sent to directly: its topic need not match the group's patterns. */
  to: "halyard-to",
  /** How often members without a matching pattern have handed it back. */
  unmatched: "halyard-unmatched",
  /** How often it came back from the dead letters; such a message is never taken for a duplicate. */
  redriven: "halyard-redriven",
  /** How often it was tried alone, because processes that held it kept dying; written before each trial. */
  trials: "halyard-trials",
  triedAt: "halyard-tried-at",
  firstFailedAt: "halyard-first-failed-at",
  deadReason: "halyard-dead-reason",
  deadAt: "halyard-dead-at",
  deadGroup: "halyard-dead-group",
  deadAttempts: "halyard-dead-attempts",
  deadDeliveries: "halyard-dead-deliveries",
  lastFailedAt: "halyard-last-failed-at",
  expiresAt: "halyard-expires-at",
  errorName: "halyard-error-name",
  errorMessage: "halyard-error-message",
  errorCode: "halyard-error-code",
  errorStack: "halyard-error-stack",
} as const;

export const ownHeaderPrefix = "halyard-";
