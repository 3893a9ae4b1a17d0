import type { Clock } from "../clock.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Admin, DeadLetters, History } from "./control.ts";
import type { WireMessage } from "./message.ts";
import type { BackendSubscription, SubscribeRequest } from "./subscription.ts";

/** A broker, not yet connected. `memory()`, `embedded()`, `amqp(url)` return one. It may be shared by several buses. */
export interface Backend {
  readonly specVersion: 1;
  /** Lower-case name of the backend in logs, errors and metrics, e.g. `"memory"`. */
  readonly name: string;
  /**
   * Opens one session. Core calls it again after every loss, with its own backoff: a backend never reconnects by itself.
   * Rejects with `AUTH_FAILED`, `NOT_AUTHORIZED`, `INVALID_OPTIONS` or `TLS_FAILED` where trying again is pointless,
   * with `CONNECT_FAILED` (retryable) otherwise. Must give up when `signal` aborts.
   */
  connect(host: Host, signal: AbortSignal): Promise<Session>;
}

/** What core lends to a backend: it has no clock, timer, randomness, console or namespace of its own. */
export interface Host {
  /** `[a-z0-9-]{1,32}`; isolates the buses that share one broker. */
  readonly namespace: string;
  /** Unique per bus, the same over all its sessions; `[A-Za-z0-9_-]{1,64}`. */
  readonly clientName: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Tells core what happened outside a call. Never throws. */
  report(event: BackendEvent): void;
}

export type BackendEvent =
  /** A live subscription missed messages; `count` undefined where the broker does not say. */
  | { readonly type: "gap"; readonly subscription: BackendSubscription; readonly count: number | undefined }
  /** The broker refuses publishes for now (memory alarm, disk, flow control). */
  | { readonly type: "blocked" | "unblocked"; readonly reason: string }
  /** A queue, stream or consumer had vanished and was made again; `lost` is how many messages went with it. */
  | { readonly type: "recreated"; readonly what: string; readonly lost: number | "unknown" }
  | { readonly type: "warning"; readonly text: string };

/**
 * One life of one connection. A closed session never comes back: core, and only core, asks for a new one and re-subscribes.
 *
 * Once it is over, closed or lost, every call on it and on the subscriptions that were open rejects with `CONNECTION_LOST`, at once and whatever its
 * arguments, an empty list included; so do calls that still wait for an answer. Only `close` resolves, its own and that of its subscriptions, and
 * `credit` does nothing.
 */
export interface Session {
  /** Facts of the broker that answered: its version, its settings, this backend's options. */
  readonly capabilities: Capabilities;
  /** Resolves once, when the session is over: with the error where nobody asked for it, with `undefined` after `close()`. Never rejects. */
  readonly closed: Promise<Error | undefined>;
  /**
   * Stores messages, in order per topic. `undefined` means that all were accepted (the hot path allocates nothing), otherwise one
   * status a message. Rejects only when the session ended: then the outcome of every message is unknown.
   * Once a message is refused for want of room (`BACKPRESSURE`), the rest of the batch is refused as well, so that core can repeat it in order.
   */
  publish(messages: readonly WireMessage[], request: PublishRequest): Promise<readonly PublishStatus[] | undefined>;
  /** Resolves when every message published from now on will be handed over. Rejects with `UNSUPPORTED` where a wish cannot be met. */
  subscribe(request: SubscribeRequest, signal: AbortSignal): Promise<BackendSubscription>;
  readonly deadLetters: DeadLetters;
  readonly admin: Admin;
  readonly history?: History | undefined;
  /** Returns what is unsettled, flushes and disconnects. Idempotent; `closed` resolves. */
  close(): Promise<void>;
}

export interface PublishRequest {
  readonly signal: AbortSignal;
  /** Nothing: each message goes to its own topic, deduplicated by `id`. A target: there and nowhere else, never deduplicated against the topic. */
  readonly target?: { readonly group: string } | { readonly deadLetters: string } | undefined;
  /** Whether the caller wants `position` in the statuses. */
  readonly positions?: boolean | undefined;
  /**
   * True where core made every id of the batch itself, just now, and sends it for the first time: no need to look for a duplicate,
   * only to remember the id. False or missing: any id may have been seen before.
   */
  readonly isFirstSend?: boolean | undefined;
}

export type PublishStatus =
  | { readonly status: "accepted"; readonly position?: string | undefined; readonly duplicate?: boolean | undefined }
  /** Certainly not stored. Retryable errors (`BACKPRESSURE`) are repeated by core within the deadline. */
  | { readonly status: "refused"; readonly error: Error }
  /** Perhaps stored. Core repeats it under the same id, within the deadline. */
  | { readonly status: "unknown"; readonly error: Error };
