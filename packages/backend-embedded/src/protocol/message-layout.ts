/**
 * How one message lies in a frame; `docs/embedded-protocol.md` has the same table. A field at its default has no bytes, only a bit that is not set.
 *
 *   u32 bytes that follow · u16 flags · u8 topic length · u8 id length · f64 time
 *   [u8 priority] [u32 attempt] [f64 expires at] [f64 not before]
 *   topic · id
 *   [content type] [content encoding] [key] [type] [source] [correlation id] [reply to]     each u16 length, UTF-8
 *   [headers: u16 count, then u8 length and name, u16 length and value each]
 *   body: all that is left
 *
 * What a server must read to route comes first, at places that cost no search.
 */
export const has = {
  priority: 1,
  attempt: 2,
  expiresAt: 4,
  notBefore: 8,
  contentType: 16,
  contentEncoding: 32,
  key: 64,
  type: 128,
  source: 256,
  correlationId: 512,
  replyTo: 1024,
  headers: 2048,
  /** Set where `persistent` is false; takes no bytes. */
  notPersistent: 4096,
} as const;

export const knownFlags = 8191;
export const textFlags = has.contentType | has.contentEncoding | has.key | has.type | has.source | has.correlationId | has.replyTo;

export const priorityDefault = 4;
export const contentTypeDefault = "application/json";

/** Flags to time, without the length. */
export const fixedBytes = 12;
