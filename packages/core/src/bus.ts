/** What users hold: the interface of a bus, typed by its topic map. `createBus` makes one; `bus-core.ts` is what stands behind it. */
import type { HandlerContext } from "./context.ts";
import type { GroupDeadLetters } from "./dead-letters.ts";
import type { Deliveries } from "./deliveries.ts";
import type { PublishOptions } from "./envelope.ts";
import type { BusEvents } from "./events.ts";
import type { Groups } from "./groups.ts";
import type { HistoryEntry, HistoryOptions } from "./history.ts";
import type { Health, Inspection } from "./inspect.ts";
import type { Message } from "./message.ts";
import type { MetricsSnapshot } from "./metrics.ts";
import type { PublishReceipt } from "./outgoing.ts";
import type { SubscribeOptions } from "./subscribe-options.ts";
import type { Subscription } from "./subscription.ts";
import type { KnownPattern, KnownTopic, PayloadMatching, PayloadOf, TopicMap, UntypedTopics } from "./topics/topic-map.ts";

/** The context with a `publish` that knows the bus's topics. */
export interface TypedContext<Map extends TopicMap = UntypedTopics> extends Omit<HandlerContext, "publish" | "reply"> {
  /** Like `bus.publish`; the new message carries this one's correlation id (or its id) and its id as causation id. */
  publish<const Topic extends string>(topic: KnownTopic<Map, Topic>, payload: PayloadOf<Map, Topic>, options?: PublishOptions): Promise<PublishReceipt>;
  /**
   * Answers: puts a message into the inbox of the group that this message names in `replyTo`, and nowhere else, in the same conversation. Rejects with
   * `INVALID_OPTIONS` where it names none, `NO_SUCH_GROUP` where that group is not there, and as `publish` does.
   */
  reply<const Topic extends string>(topic: KnownTopic<Map, Topic>, payload: PayloadOf<Map, Topic>, options?: PublishOptions): Promise<PublishReceipt>;
}

/**
 * Returned: the message is acked. Thrown or rejected: it is retried with backoff, then dead-lettered; `nonRetryable(cause)` skips the retries.
 */
export type Handler<Map extends TopicMap = UntypedTopics, Pattern extends string | readonly string[] = string> = (
  message: Message<PayloadMatching<Map, Pattern>>,
  context: TypedContext<Map>,
) => unknown;

/** One message of `publishBatch`. */
export interface BatchItem<Map extends TopicMap = UntypedTopics, Topic extends string = string> {
  readonly topic: KnownTopic<Map, Topic>;
  readonly payload: PayloadOf<Map, Topic>;
  readonly options?: PublishOptions;
}

/**
 * One connection of a service or agent to the message bus.
 *
 * @example
 * await bus.subscribe("task.*", { group: "workers" }, async (message) => work(message.payload));
 * await bus.publish("task.submitted", { id: "t1" });
 * await bus.close();
 */
export interface Bus<Map extends TopicMap = UntypedTopics> {
  readonly namespace: string;
  /** Name of the backend. */
  readonly backend: string;

  /**
   * Resolves when the broker has accepted the message for every group that matches. Rejects at once with `INVALID_*`, `ENCODE_FAILED`,
   * `PAYLOAD_TOO_LARGE`, `HEADERS_TOO_LARGE`, `UNSUPPORTED`, `CLOSED`; with `BACKPRESSURE`, `PUBLISH_REFUSED`, `ID_REUSED`, `CONNECT_FAILED` when it
   * was certainly not stored; with `PUBLISH_UNKNOWN` when nobody can tell. Never later than its deadline.
   */
  publish<const Topic extends string>(topic: KnownTopic<Map, Topic>, payload: PayloadOf<Map, Topic>, options?: PublishOptions): Promise<PublishReceipt>;
  /** Publishes in order. Rejects with `BATCH_INCOMPLETE` if any was not accepted; `details.results` has a receipt or an error for each. */
  publishBatch<const Topic extends string>(items: readonly BatchItem<Map, Topic>[]): Promise<readonly PublishReceipt[]>;
  /** Puts a message into one group's inbox, and nowhere else. Rejects with `NO_SUCH_GROUP` where there is no such group. */
  send<const Topic extends string>(
    group: string,
    topic: KnownTopic<Map, Topic>,
    payload: PayloadOf<Map, Topic>,
    options?: PublishOptions,
  ): Promise<PublishReceipt>;

  /**
   * Resolves when every message published from now on will reach the handler. With `group`: competing members, at least once, retried,
   * dead-lettered. Without: a live copy. Rejects with `INVALID_*`, `GROUP_CONFLICT`, `UNSUPPORTED`, `NOT_AUTHORIZED`, `CLOSED`.
   */
  subscribe<const Pattern extends string | readonly string[]>(pattern: KnownPattern<Map, Pattern>, handler: Handler<Map, Pattern>): Promise<Subscription>;
  subscribe<const Pattern extends string | readonly string[]>(
    pattern: KnownPattern<Map, Pattern>,
    options: SubscribeOptions,
    handler: Handler<Map, Pattern>,
  ): Promise<Subscription>;
  /** The same for those who settle by hand. Leaving the loop ends the subscription and gives back what is not settled. */
  deliveries<const Pattern extends string | readonly string[]>(
    pattern: KnownPattern<Map, Pattern>,
    options?: SubscribeOptions,
  ): Deliveries<PayloadMatching<Map, Pattern>>;

  readonly groups: Groups;
  /** @throws INVALID_GROUP */
  deadLetters(group: string): GroupDeadLetters;
  /** In order, without consuming. `UNSUPPORTED` where the backend keeps no history. */
  history<const Pattern extends string | readonly string[]>(
    pattern: KnownPattern<Map, Pattern>,
    options?: HistoryOptions,
  ): AsyncGenerator<HistoryEntry<PayloadMatching<Map, Pattern>>>;
  historyById(ids: readonly string[]): Promise<readonly (HistoryEntry | undefined)[]>;

  /** What is on the broker and on this bus now: numbers, or `undefined` where the broker does not say. */
  inspect(): Promise<Inspection>;
  /** Whether a message can be published now: sends a probe on the publishing path. Never rejects. */
  health(options?: { readonly timeoutMs?: number }): Promise<Health>;
  metrics(): MetricsSnapshot;
  /** Returns a function that removes the listener. A listener that throws is reported to the logger. */
  on<Event extends keyof BusEvents>(event: Event, listener: (value: BusEvents[Event]) => unknown): () => void;

  /** Drains: stops receiving, waits for handlers and open publishes (`timeoutMs`, default `limits.closeTimeoutMs`), gives back the rest, disconnects. Idempotent. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
