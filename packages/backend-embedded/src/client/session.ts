/** One connection of one bus to the server: every call becomes a frame, every frame an answer. It never reconnects; core asks for another one. */
import type {
  Admin,
  BackendSubscription,
  Capabilities,
  Clock,
  DeadLetters,
  History,
  Host,
  PublishRequest,
  PublishStatus,
  Session,
  Settlement,
  SettleStatus,
  SubscribeRequest,
  WireMessage,
} from "@halyard/core/spi";
import { HalyardError, isHalyardError } from "@halyard/core/spi";
import { ByteReader } from "../protocol/byte-reader.ts";
import { fromClient, fromServer, settleStatuses } from "../protocol/frames.ts";
import { record, type Welcome } from "../protocol/greeting.ts";
import type { Link } from "../protocol/link.ts";
import { MessageReader } from "../protocol/message-reader.ts";
import { receiptNumber, writeSettlements } from "../protocol/settlements.ts";
import { toJson } from "../protocol/subscribe-request.ts";
import { violation } from "../protocol/violation.ts";
import { fromWireError } from "../protocol/wire-error.ts";
import { adminOf, deadLettersOf, historyOf } from "./control.ts";
import { Publisher } from "./publisher.ts";
import { Requests } from "./requests.ts";
import { ClientSubscription, type SubscriptionPort } from "./subscription.ts";

export interface SessionOptions {
  readonly link: Link;
  readonly welcome: Welcome;
  readonly host: Host;
  readonly requestTimeoutMs: number;
}

/** Reads the answer to a request; `undefined` where there was none to read. */
export type ReadAnswer<Value> = (type: number | undefined, reader: ByteReader) => Value;

export class ClientSession implements Session, SubscriptionPort {
  readonly capabilities: Capabilities;
  readonly closed: Promise<Error | undefined>;
  readonly deadLetters: DeadLetters;
  readonly admin: Admin;
  readonly history: History | undefined;
  readonly messages = new MessageReader();
  readonly requests = new Requests();
  readonly link: Link;
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #requestTimeoutMs: number;
  readonly #publisher: Publisher;
  readonly #subscriptions = new Map<number, ClientSubscription>();
  #nextSubscription = 1;
  #resolveClosed: (error: Error | undefined) => void = () => undefined;
  #lost: HalyardError | undefined;
  #isClosing = false;
  #closing: Promise<void> | undefined;
  #onBye: () => void = () => undefined;
  #cancelTick: () => void;

  constructor(options: SessionOptions) {
    const { link, welcome, host, requestTimeoutMs } = options;
    this.link = link;
    this.capabilities = welcome.capabilities;
    this.#host = host;
    this.#clock = host.clock;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#publisher = new Publisher(this, welcome.frameBytesMax);
    this.admin = adminOf(this);
    this.deadLetters = deadLettersOf(this);
    this.history = welcome.hasHistory ? historyOf(this, welcome.hasHistoryById) : undefined;
    // One coarse timer for all deadlines: core has finer ones, this one only makes sure that nothing is waited for for ever.
    const tickMs = Math.max(10, Math.min(1_000, requestTimeoutMs / 4));
    const tick = (): void => {
      this.requests.expire(this.#clock.monotonicMs());
      this.#cancelTick = this.#clock.after(tickMs, tick);
    };
    this.#cancelTick = this.#clock.after(tickMs, tick);
  }

  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  get dueMs(): number {
    return this.#clock.monotonicMs() + this.#requestTimeoutMs;
  }

  /** Why no call can be made any more. */
  get lost(): HalyardError | undefined {
    return this.#lost;
  }

  publish(messages: readonly WireMessage[], request: PublishRequest): Promise<readonly PublishStatus[] | undefined> {
    return this.#publisher.publish(messages, request);
  }

  async subscribe(request: SubscribeRequest, signal: AbortSignal): Promise<BackendSubscription> {
    const id = this.#nextSubscription++;
    const subscription = new ClientSubscription(id, request.inFlightMax, this);
    this.#subscriptions.set(id, subscription); // deliveries may come with the answer
    try {
      const leaseMs = await this.ask("subscribe", signal, (requestId) => this.#sendJson(fromClient.subscribe, requestId, toJson(id, request)), readLease);
      if (leaseMs !== undefined) subscription.setLease(leaseMs);
      return subscription;
    } catch (error) {
      this.#subscriptions.delete(id);
      // Aborted or overdue: the server may have opened it all the same.
      if (this.#lost === undefined && isHalyardError(error) && (error.code === "ABORTED" || error.code === "TIMEOUT")) {
        void this.unsubscribe(id).catch(() => undefined); // only frees what the server holds; it goes with the connection otherwise
      }
      throw error;
    }
  }

  settle(subscription: number, settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    return this.ask(
      "settle",
      undefined,
      (id) => {
        const { writer } = this.link;
        writer.begin(fromClient.settle);
        writer.u32(id);
        writer.u32(subscription);
        writeSettlements(writer, settlements);
        writer.end();
      },
      (type, reader) => (type === undefined ? undefined : readSettled(reader, settlements.length)),
    );
  }

  extend(subscription: number, receipts: readonly unknown[]): Promise<readonly unknown[]> {
    return this.ask(
      "extend",
      undefined,
      (id) => {
        const { writer } = this.link;
        writer.begin(fromClient.extend);
        writer.u32(id);
        writer.u32(subscription);
        let last = 0;
        for (const receipt of receipts) {
          writer.difference(receiptNumber(receipt) - last);
          last = receiptNumber(receipt);
        }
        writer.end();
      },
      (type, reader) => {
        const lost = type === undefined ? [] : reader.json();
        return Array.isArray(lost) ? (lost as unknown[]) : [];
      },
    );
  }

  credit(subscription: number, inFlightMax: number): void {
    if (this.#lost !== undefined) return;
    const { writer } = this.link;
    writer.begin(fromClient.credit);
    writer.u32(subscription);
    writer.u32(inFlightMax);
    writer.end();
  }

  async unsubscribe(subscription: number): Promise<void> {
    this.#subscriptions.delete(subscription);
    await this.ask(
      "unsubscribe",
      undefined,
      (id) => {
        const { writer } = this.link;
        writer.begin(fromClient.unsubscribe);
        writer.u32(id);
        writer.u32(subscription);
        writer.end();
      },
      () => undefined,
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Sends one request and waits for its answer. Rejects with `CONNECTION_LOST`, `TIMEOUT`, `ABORTED` or what the server says. */
  ask<Value>(what: string, signal: AbortSignal | undefined, send: (id: number) => void, read: ReadAnswer<Value>): Promise<Value> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    if (signal?.aborted) return Promise.reject(aborted(what));
    return new Promise<Value>((resolve, reject) => {
      const stopListening = (): void => signal?.removeEventListener("abort", onAbort);
      const id = this.requests.add({
        what,
        dueMs: this.dueMs,
        done: () => {
          stopListening();
          resolve(read(undefined, nothingToRead));
        },
        answered: (type, reader) => {
          stopListening();
          resolve(read(type, reader));
        },
        failed: (error) => {
          stopListening();
          reject(error);
        },
      });
      const onAbort = (): void => this.requests.take(id)?.failed(aborted(what));
      signal?.addEventListener("abort", onAbort);
      this.attempt(id, send);
    });
  }

  /** Writes the frame of a request; what cannot be written fails that request and nothing else. */
  attempt(id: number, send: (id: number) => void): void {
    try {
      send(id);
    } catch (error) {
      this.link.writer.cancel();
      this.requests.take(id)?.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  onFrame(type: number, bytes: Buffer, start: number, end: number): boolean {
    const reader = new ByteReader(bytes, start, end);
    switch (type) {
      case fromServer.done:
        while (!reader.isAtEnd) this.requests.take(reader.u32())?.done();
        break;
      case fromServer.deliveries:
        this.#deliver(reader);
        break;
      case fromServer.statuses:
      case fromServer.settled:
      case fromServer.answer:
        this.#answer(reader.u32(), type, reader);
        break;
      case fromServer.page:
        // A page may be one of several: the request itself knows when it has the last.
        this.requests.get(reader.u32())?.answered(type, reader);
        break;
      case fromServer.failure:
        this.requests.take(reader.u32())?.failed(fromWireError(reader.json()));
        break;
      case fromServer.ended:
        this.#subscriptions.get(reader.u32())?.fail(fromWireError(reader.json()));
        break;
      case fromServer.event:
        this.#report(record(reader.json()));
        break;
      case fromServer.bye:
        this.#onBye();
        return false;
      case fromServer.fatal:
        this.link.destroy(fromWireError(reader.json()));
        return false;
      default:
        throw violation(`an unknown frame (${type})`);
    }
    return true;
  }

  /** The connection is gone. */
  onEnd(error: Error | undefined): void {
    this.#cancelTick();
    const isAsked = this.#isClosing;
    const cause = isHalyardError(error) && error.code !== "PROTOCOL_ERROR" ? undefined : error;
    const text = isHalyardError(error) ? error.message : `The connection to the embedded server broke${error === undefined ? "" : `: ${error.message}`}.`;
    this.#lost = new HalyardError("CONNECTION_LOST", text, cause === undefined ? {} : { cause });
    this.requests.failAll(this.#lost);
    for (const subscription of this.#subscriptions.values()) subscription.fail(this.#lost);
    this.#subscriptions.clear();
    this.#onBye();
    this.#resolveClosed(isAsked ? undefined : isHalyardError(error) ? error : this.#lost);
  }

  async #close(): Promise<void> {
    if (this.#lost !== undefined) return;
    this.#isClosing = true;
    const { writer } = this.link;
    const farewell = new Promise<void>((resolve) => {
      this.#onBye = resolve;
    });
    writer.begin(fromClient.bye);
    writer.end();
    const cancel = this.#clock.after(Math.min(this.#requestTimeoutMs, closeTimeoutMs), () => this.#onBye());
    await farewell;
    cancel();
    this.link.destroy(undefined);
  }

  /** An answer that cannot be read leaves its request open: it ends with the connection, and is not taken for what it is not. */
  #answer(id: number, type: number, reader: ByteReader): void {
    this.requests.get(id)?.answered(type, reader);
    this.requests.take(id);
  }

  #deliver(reader: ByteReader): void {
    // Unknown: closed by us while these were on their way. The server gives them back.
    this.#subscriptions.get(reader.u32())?.deliver(reader, this.messages);
  }

  #sendJson(type: number, id: number, value: unknown): void {
    const { writer } = this.link;
    writer.begin(type);
    writer.u32(id);
    writer.json(value);
    writer.end();
  }

  #report(event: Readonly<Record<string, unknown>>): void {
    const { type, subscription, count, reason, what, lost, text } = event;
    if (type === "gap") {
      const found = typeof subscription === "number" ? this.#subscriptions.get(subscription) : undefined;
      if (found !== undefined) this.#host.report({ type, subscription: found, count: typeof count === "number" ? count : undefined });
    } else if (type === "blocked" || type === "unblocked") this.#host.report({ type, reason: String(reason) });
    else if (type === "recreated") this.#host.report({ type, what: String(what), lost: typeof lost === "number" ? lost : "unknown" });
    else this.#host.report({ type: "warning", text: String(text) });
  }
}

/** How long `close` waits for the server to say goodbye. */
const closeTimeoutMs = 5_000;
const nothingToRead = new ByteReader(Buffer.alloc(0), 0, 0);

function readLease(type: number | undefined, reader: ByteReader): number | undefined {
  if (type === undefined) return undefined;
  const { leaseMs } = record(reader.json());
  return typeof leaseMs === "number" ? leaseMs : undefined;
}

function readSettled(reader: ByteReader, count: number): readonly SettleStatus[] {
  const statuses: SettleStatus[] = [];
  for (let index = 0; index < count; index++) statuses.push(settleStatuses[reader.u8()] ?? "stale");
  return statuses;
}

function aborted(what: string): HalyardError {
  return new HalyardError("ABORTED", `A request to the embedded server was aborted (${what}).`);
}
