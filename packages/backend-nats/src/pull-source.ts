/**
 * Asks one durable consumer for messages: raw pull requests, each for an exact number. What is asked for and not yet answered is `outstanding`; the sum
 * over all sources and what is held never passes the credit, so nothing is fetched that nobody may receive.
 *
 * A request cannot be taken back, but its reply subject can: after UNSUB the server skips the request (measured on 2.9.10: the message went to the next
 * one). `cancel` unsubscribes, waits for the round trip, and only then counts the request as gone, so a message on its way is not lost.
 *
 * A server that has nothing but such dead requests left errs when a message is given back (measured on 2.9.10): that message is lost until its `ack_wait` is
 * over, and the newest one is handed out twice. Asking for the consumer's state makes the server forget dead requests first, see `forgetDeadRequests`.
 */
import type { Clock } from "@halyard/core/spi";
import { createInbox, type Msg, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import { type AckSubject, parseAckSubject } from "./ack-subject.ts";
import type { RoundTrips } from "./round-trips.ts";

/** How long a request waits for messages. Shorter than the shortest idle timeout of common proxies. */
export const patienceMsMax = 30_000;
/** How often the server says that a waiting request lives; more often where it waits for less than three of these. */
const heartbeatMs = 2_000;
/** In silence for so long, consumer or stream leader are gone: a request to a consumer that does not exist is never answered (2.9.10). */
const silenceMsMax = 5_000;
/** The same for a request that does not wait: its answer is due at once. */
const answerMsMax = 1_000;

/** A server that refuses a request (too many wait at this consumer) is asked again so much later. */
const refusedMs = 500;

/** Waiting longer would hold up closing more than a message that comes late. */
const forgetMsMax = 2_000;

const millionNs = 1_000_000;

export interface PullSourceParts {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly roundTrips: RoundTrips;
  readonly inboxPrefix: string;
  /** `$JS.API` or that of a domain. */
  readonly apiPrefix: string;
  readonly stream: string;
  readonly durable: string;
  onMessage(message: Msg, ack: AckSubject): void;
  /** A request ended without all it asked for: there is nothing more for now. */
  onEmpty(): void;
  /** Consumer or stream are gone, or do not answer. */
  onGone(reason: string): void;
}

export class PullSource {
  readonly stream: string;
  readonly durable: string;
  readonly #parts: PullSourceParts;
  #outstanding = 0;
  /** Of requests whose reply subject is gone, until the server knows. */
  #cancelling = 0;
  #inbox = "";
  #subscription: Subscription | undefined;
  #requests = 0;
  #lastSignMs = 0;
  #lastTrafficMs = 0;
  #notBeforeMs = 0;
  /** Of the last request that does not wait. */
  #noWaitCount = 0;
  #isNoWait = false;
  /** How many messages the next request may ask for: grows while they come, shrinks while they do not. */
  demand = 1;

  constructor(parts: PullSourceParts) {
    this.#parts = parts;
    this.stream = parts.stream;
    this.durable = parts.durable;
  }

  /** Asked for and not yet answered. */
  get outstanding(): number {
    return this.#outstanding + this.#cancelling;
  }

  get isCancelling(): boolean {
    return this.#cancelling > 0;
  }

  /** `patienceMs`: how long the request waits for messages, whole milliseconds. */
  pull(count: number, options: { readonly noWait?: boolean; readonly patienceMs?: number } = {}): void {
    const { connection, clock, inboxPrefix, apiPrefix } = this.#parts;
    if (connection.isClosed() || clock.monotonicMs() < this.#notBeforeMs) return;
    if (this.#subscription === undefined) {
      const inbox = `${createInbox(inboxPrefix)}.`;
      this.#inbox = inbox;
      this.#subscription = connection.subscribe(`${inbox}*`, { callback: (_, message) => this.#onMessage(message, inbox) });
    }
    this.#outstanding += count;
    this.#isNoWait = options.noWait === true;
    if (this.#isNoWait) this.#noWaitCount = count;
    this.#lastSignMs = clock.monotonicMs();
    this.#lastTrafficMs = this.#lastSignMs;
    const { patienceMs = patienceMsMax } = options;
    const signMs = Math.min(heartbeatMs, Math.floor(patienceMs / 3));
    const request =
      options.noWait === true
        ? `{"batch":${count},"no_wait":true}`
        : `{"batch":${count},"expires":${patienceMs * millionNs},"idle_heartbeat":${signMs * millionNs}}`;
    connection.publish(`${apiPrefix}.CONSUMER.MSG.NEXT.${this.stream}.${this.durable}`, request, { reply: `${this.#inbox}${this.#requests++}` });
  }

  /** Takes back what was asked for and not answered. What comes meanwhile still arrives. */
  async cancel(): Promise<void> {
    const subscription = this.#subscription;
    if (subscription === undefined) return;
    this.#subscription = undefined;
    this.#cancelling += this.#outstanding;
    this.#outstanding = 0;
    try {
      await this.#parts.roundTrips.unlessOver(() => subscription.drain());
      await forgetDeadRequests(this.#parts.connection, this.#parts.apiPrefix, this.stream, this.durable);
    } catch {
      // The connection has ended: nothing is outstanding any more.
    }
    this.#cancelling = 0;
  }

  /** For the watch of the session: a request waits, and the server says nothing. */
  watch(nowMs: number): void {
    if (this.#outstanding === 0 || nowMs - this.#lastSignMs < (this.#isNoWait ? answerMsMax : silenceMsMax)) return;
    this.#lastSignMs = nowMs;
    void this.cancel().then(() => this.#parts.onGone("it does not answer"));
  }

  /** When it was last asked, or brought a message. */
  get lastTrafficMs(): number {
    return this.#lastTrafficMs;
  }

  #onMessage(message: Msg, inbox: string): void {
    this.#lastSignMs = this.#parts.clock.monotonicMs();
    const { reply } = message;
    const ack = reply === undefined ? undefined : parseAckSubject(reply);
    if (ack !== undefined) {
      this.#countDown(1, inbox);
      this.#lastTrafficMs = this.#lastSignMs;
      if (inbox === this.#inbox && this.#outstanding === 0) this.demand *= 2;
      this.#parts.onMessage(message, ack);
    } else if (message.data.length === 0) this.#onStatus(message, inbox);
  }

  #countDown(count: number, inbox: string): void {
    if (inbox === this.#inbox && this.#subscription !== undefined) this.#outstanding = Math.max(0, this.#outstanding - count);
    else this.#cancelling = Math.max(0, this.#cancelling - count);
  }

  #onStatus(message: Msg, inbox: string): void {
    const { headers } = message;
    const code = headers?.code ?? 0;
    if (code === 100) return; // alive
    const pending = Number(headers?.get("Nats-Pending-Messages") ?? "");
    const description = headers?.description ?? "";
    if (code === 404)
      this.#countDown(this.#noWaitCount, inbox); // only a request that does not wait is answered so, and one is open at a time
    else if (headers?.has("Nats-Pending-Messages") === true) this.#countDown(pending, inbox);
    else if (code === 503 || /deleted|not found|no responders|leadership|shutdown/i.test(description)) {
      this.#countDown(Number.POSITIVE_INFINITY, inbox);
      if (inbox === this.#inbox) this.#parts.onGone(description);
      return;
    } else {
      this.#countDown(Number.POSITIVE_INFINITY, inbox); // refused as a whole: nothing of it will come
      this.#notBeforeMs = this.#lastSignMs + refusedMs;
    }
    this.demand = Math.max(1, this.demand >> 1);
    this.#parts.onEmpty();
  }
}

/** Resolves when the server has looked through the requests that wait at a consumer, or does not answer. */
export async function forgetDeadRequests(connection: NatsConnection, apiPrefix: string, stream: string, durable: string): Promise<void> {
  try {
    await connection.request(`${apiPrefix}.CONSUMER.INFO.${stream}.${durable}`, undefined, { timeout: forgetMsMax });
  } catch {
    // No consumer, or no server: then no request waits either.
  }
}
