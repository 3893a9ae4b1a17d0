/**
 * One delivery from its arrival to its settlement, and at the same time the context that its handler sees: one object a delivery. What only
 * some handlers use (signal, logger) is made when it is asked for.
 */
import type { HandlerContext } from "./context.ts";
import type { PublishOptions } from "./envelope.ts";
import { HalyardError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { release } from "./outcome.ts";
import type { PublishReceipt } from "./outgoing.ts";
import type { Settler } from "./settler.ts";
import type { Delivery, Outcome, Settlement, WireMessage } from "./spi/message.ts";

/** What a handler asked for, instead of what its end would mean. */
export type Wish =
  | { readonly type: "retry"; readonly delayMs: number | undefined; readonly error?: unknown }
  | { readonly type: "dead-letter"; readonly reason: string }
  | { readonly type: "release" };

/** `waiting`: buffered, or between two runs in place. `over`: its fate is decided. */
export type FlightState = "waiting" | "running" | "over";

/** What a flight needs of the subscription and the bus around it. */
export interface FlightHost {
  readonly group: string | undefined;
  publishFrom(message: WireMessage, topic: string, payload: unknown, options: PublishOptions | undefined): Promise<PublishReceipt>;
  replyTo(message: WireMessage, topic: string, payload: unknown, options: PublishOptions | undefined): Promise<PublishReceipt>;
  loggerFor(flight: Flight): Logger;
}

export class Flight implements HandlerContext, Settlement {
  readonly delivery: Delivery;
  readonly message: WireMessage;
  /** Of the backend subscription that handed it over. */
  readonly settler: Settler;
  readonly #host: FlightHost;
  state: FlightState = "waiting";
  /** What settles it, once its fate is decided. */
  outcome: Outcome = release;
  settleTries = 0;
  /** Called when the backend has done it: a retry or a dead letter is only told of when it is there. */
  whenSettled: (() => void) | undefined = undefined;
  /** Called when it was not done, and the message comes again. */
  whenStale: (() => void) | undefined = undefined;
  /** Where it stands in the subscription's list of unsettled flights; -1: not in it. */
  index = -1;
  /** Raised by retries in place; a retry through the inbox arrives with it raised. */
  attempt: number;
  /** When its handler started; while it waits and the broker limits that, when it came. */
  startedMs = 0;
  /** When the lease lapses by our own clock; `undefined` where there is none. */
  leaseUntilMs: number | undefined;
  /** Processes that held it died too often: it runs only alone. */
  isSuspect = false;
  firstFailedMs: number | undefined = undefined;
  wish: Wish | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  #abortReason: HalyardError | undefined = undefined;

  constructor(delivery: Delivery, settler: Settler, host: FlightHost, leaseUntilMs: number | undefined) {
    this.delivery = delivery;
    this.message = delivery.message;
    this.settler = settler;
    this.#host = host;
    this.attempt = delivery.message.attempt;
    this.leaseUntilMs = leaseUntilMs;
  }

  get receipt(): unknown {
    return this.delivery.receipt;
  }

  get deliveries(): number {
    return this.delivery.deliveries;
  }

  get group(): string | undefined {
    return this.#host.group;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  get logger(): Logger {
    return this.#host.loggerFor(this);
  }

  publish(topic: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt> {
    return this.#host.publishFrom(this.message, topic, payload, options);
  }

  reply(topic: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt> {
    return this.#host.replyTo(this.message, topic, payload, options);
  }

  retry(delayMs?: number): void {
    if (delayMs !== undefined && !(Number.isFinite(delayMs) && delayMs >= 0))
      throw new HalyardError("INVALID_OPTIONS", "retry(delayMs) takes milliseconds from 0.");
    this.wish = { type: "retry", delayMs };
  }

  deadLetter(reason: string): void {
    this.wish = { type: "dead-letter", reason };
  }

  /** The same delivery for another run in place, where the run of this one hangs and may still end some day. */
  again(): Flight {
    const next = new Flight(this.delivery, this.settler, this.#host, this.leaseUntilMs);
    next.attempt = this.attempt;
    next.firstFailedMs = this.firstFailedMs;
    return next;
  }

  /** Tells the handler that its work has become pointless. */
  abort(reason: HalyardError): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(reason);
  }
}
