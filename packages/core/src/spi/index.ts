/**
 * The service-provider interface: all that a backend, codec or compressor may import from core.
 *
 * A backend implements `Backend` → `Session` → `BackendSubscription` and says in `Capabilities` what its broker can do.
 * Core does the rest: envelope, codecs, retries, dead letters, reconnection. Read `backend.ts` first, then `message.ts`.
 */

export type { Clock } from "../clock.ts";
export { systemClock } from "../clock.ts";
export type { Codec } from "../codec.ts";
export type { Compressor } from "../compression.ts";
export type { ErrorCode, HalyardErrorOptions } from "../errors.ts";
export { HalyardError, isHalyardError } from "../errors.ts";
export { noHeaders } from "../message.ts";
export type { TopicPattern } from "../pattern.ts";
export { parsePattern } from "../pattern.ts";
export { PatternTrie } from "../pattern-trie.ts";
export { isGroupName, isMessageId, isNamespace, isTopic } from "../topic.ts";
export { type Deferred, deferred, endsWithin, sleep, unlessAborted } from "../waiting.ts";
export type { Backend, BackendEvent, Host, PublishRequest, PublishStatus, Session } from "./backend.ts";
export type { Capabilities } from "./capabilities.ts";
export type { Admin, DeadLetters, GroupInfo, History, HistoryStart, StoredMessage, Verdict } from "./control.ts";
export { DeliveryBuffer } from "./delivery-buffer.ts";
export type { Delivery, Outcome, Settlement, SettleStatus, WireMessage } from "./message.ts";
export {
  type ClientTls,
  clientTls,
  functionOf,
  invalidOption,
  listOf,
  type OptionRule,
  type OptionRules,
  objectOf,
  oneOf,
  readOptions,
  text,
  whole,
} from "./options.ts";
export type { BackendSubscription, GroupRequest, SubscribeRequest } from "./subscription.ts";
export { agreed, readUrl, type UrlForm, type UrlParts } from "./url-option.ts";
