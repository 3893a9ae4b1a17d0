/**
 * What backends move: bytes and strings. The broker's native message *is* this message: `body` is the encoded payload and nothing
 * else, all the rest sits in native properties and headers. A field at its default is not written to the broker.
 *
 * Optional fields may be present as `undefined`: one object shape for all messages keeps the hot path monomorphic.
 */
export interface WireMessage {
  readonly topic: string;
  /** `[A-Za-z0-9._:/-]{1,128}`. A foreign message without one gets its broker position, the same at every redelivery. */
  readonly id: string;
  /** When it was published, milliseconds since 1970 on the publisher's clock. */
  readonly timeMs: number;
  /** 1 + failed handler runs. Raised by core only. Default 1. */
  readonly attempt: number;
  /** Media type of the payload's codec, e.g. `application/json` (the default). */
  readonly contentType: string;
  /** Name of the compressor; missing where the body is not compressed. */
  readonly contentEncoding?: string | undefined;
  readonly body: Uint8Array;
  /** The payload itself, only where `capabilities.carriesValues`; `body` is empty then. */
  readonly value?: { readonly payload: unknown } | undefined;
  /** Names `[a-z0-9_-]{1,64}`, values any Unicode. The user's take 32 KiB together at most, core's own 1 KiB beside them (33 KiB must be storable). */
  readonly headers: Readonly<Record<string, string>>;
  /** 0 (last) to 9 (first), default 4. */
  readonly priority: number;
  /** Default true. */
  readonly persistent: boolean;
  /** Ordering key: messages of one key are handled in order by an `ordered` subscription. */
  readonly key?: string | undefined;
  readonly type?: string | undefined;
  readonly source?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly replyTo?: string | undefined;
  /** Not handled after this time; publisher's clock. */
  readonly expiresAtMs?: number | undefined;
  /** Not handled before this time; publisher's clock. Core checks it again and moves an early message to the inbox. */
  readonly notBeforeMs?: number | undefined;
}

/** One hand-over of a message to one subscription. */
export interface Delivery {
  readonly message: WireMessage;
  /** The broker's hand-overs of this copy, this one included: crashed, buffered and given-back ones count. 1 at first; always 1 where `!capabilities.countsDeliveries`. */
  readonly deliveries: number;
  /** Names this hand-over when settling. Valid once, on the subscription that returned it. */
  readonly receipt: unknown;
  /** The broker's own position of the message, where it has one. */
  readonly position?: string | undefined;
  /** The native message, for debugging. */
  readonly raw?: unknown;
}

/** What core decides about a delivery, and the backend does. */
export type Outcome =
  | { readonly type: "ack" }
  /** Not tried: back to the group soon. `attempt` stays, `deliveries` may rise. */
  | { readonly type: "release" }
  /**
   * Stores `message` in this group's inbox (after `delayMs`, by the broker's clock) or dead letters, confirmed, and only then removes
   * the original; in one step where the broker can. A crash in between duplicates, never loses.
   */
  | { readonly type: "move"; readonly to: "inbox" | "dead-letters"; readonly message: WireMessage; readonly delayMs: number };

export interface Settlement {
  readonly receipt: unknown;
  readonly outcome: Outcome;
}

/**
 * `done` · `stale`: session, lease or receipt gone, nothing was done, the message comes back ·
 * `failed`: the copy of a move could not be stored, the original is untouched and still held.
 */
export type SettleStatus = "done" | "stale" | "failed";
