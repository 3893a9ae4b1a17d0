/**
 * The numbers of the protocol, as `docs/embedded-protocol.md` lists them. They are part of the wire format: never reused, never renumbered.
 */

/** First bytes of the first frame: whoever speaks something else is recognised at once. */
export const magic = 0x484c5944; // "HLYD"
export const protocolVersion = 1;

/** Bytes of the length that opens a frame. */
export const lengthBytes = 4;

/** Largest frame before the hello was accepted: a stranger can make the other side hold this much and no more. */
export const helloBytesMax = 64 * 1024;

/** From the client. */
export const fromClient = {
  hello: 1,
  publish: 2,
  settle: 3,
  subscribe: 4,
  unsubscribe: 5,
  credit: 6,
  extend: 7,
  call: 8,
  verdicts: 9,
  cancel: 10,
  bye: 11,
} as const;

/** From the server. */
export const fromServer = {
  welcome: 65,
  fatal: 66,
  done: 67,
  statuses: 68,
  settled: 69,
  answer: 70,
  failure: 71,
  deliveries: 72,
  ended: 73,
  page: 74,
  event: 75,
  bye: 76,
} as const;

/** From both sides, when there was nothing else to say for a while. */
export const heartbeat = 128;

/** Bits of a publish frame. */
export const publishFlags = { positions: 1, firstSend: 2, toGroup: 4, toDeadLetters: 8 } as const;

/** What is done with a delivery, in a settle frame. */
export const outcomes = { ack: 0, release: 1, inbox: 2, deadLetters: 3 } as const;

export const settleStatuses = ["done", "stale", "failed"] as const;

/** Bits of one entry in a statuses frame; without `refused` and `unknown` the message was accepted. */
export const statusFlags = { duplicate: 1, refused: 2, unknown: 4, position: 8, sameError: 16 } as const;

/** Bits of a deliveries frame. */
export const deliveryFlags = { counts: 1, positions: 2 } as const;

/** Bits of a page frame: no more parts of this page follow; nothing more is stored. */
export const pageFlags = { last: 1, end: 2 } as const;

/** Bits of one entry of a page. */
export const entryFlags = { message: 1, position: 2 } as const;

export const verdicts = { keep: 0, remove: 1, redrive: 2 } as const;

/** What a call frame asks for. */
export const methods = {
  ping: 1,
  warnings: 2,
  defineGroup: 3,
  removeGroup: 4,
  purgeGroup: 5,
  group: 6,
  groups: 7,
  topics: 8,
  deadLetterCount: 9,
  deadLetterPurge: 10,
  deadLetterWalk: 11,
  historyRead: 12,
  historyById: 13,
} as const;
export type Method = (typeof methods)[keyof typeof methods];
