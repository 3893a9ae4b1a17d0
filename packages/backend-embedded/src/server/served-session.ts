/**
 * A session of the backend, driven by the frames of one client. The session keeps the promises; this file only carries them: each frame becomes a
 * call, each result a frame. What breaks the protocol throws, and the connection ends.
 */
import { setMaxListeners } from "node:events";
import {
  type BackendEvent,
  type BackendSubscription,
  HalyardError,
  type PublishRequest,
  type PublishStatus,
  type Session,
  type SettleStatus,
} from "@halyard/core/spi";
import { ByteReader } from "../protocol/byte-reader.ts";
import { fromClient, fromServer, methods, pageFlags, publishFlags, settleStatuses } from "../protocol/frames.ts";
import { record } from "../protocol/greeting.ts";
import type { Link } from "../protocol/link.ts";
import { MessageReader } from "../protocol/message-reader.ts";
import { fromJson, inFlightMaxMax } from "../protocol/subscribe-request.ts";
import { violation } from "../protocol/violation.ts";
import { toWireError } from "../protocol/wire-error.ts";
import { answer, readHistory, readHistoryById, type StoredPage } from "./calls.ts";
import { OpenWork, type WorkLimits } from "./open-work.ts";
import { writePageParts, writeStatuses } from "./replies.ts";
import { ServedSubscription } from "./subscription.ts";
import { Walks } from "./walks.ts";

export interface ServedLimits extends WorkLimits {
  readonly subscriptionsMax: number;
}

export class ServedSession {
  readonly #session: Session;
  readonly #link: Link;
  readonly #limits: ServedLimits;
  readonly #work: OpenWork;
  readonly #walks: Walks;
  readonly #messages = new MessageReader();
  readonly #subscriptions = new Map<number, ServedSubscription>();
  readonly #ended = new AbortController();
  /** The two requests that nearly all publishes make. */
  readonly #plainRequest: PublishRequest;
  readonly #firstSendRequest: PublishRequest;
  #subscribing = 0;

  constructor(session: Session, link: Link, limits: ServedLimits) {
    const { signal } = this.#ended;
    setMaxListeners(0, signal); // every subscription listens: Node takes more than ten listeners for a leak
    this.#session = session;
    this.#link = link;
    this.#limits = limits;
    this.#work = new OpenWork(link, limits);
    this.#walks = new Walks(link);
    this.#plainRequest = { signal };
    this.#firstSendRequest = { signal, isFirstSend: true };
  }

  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  /** Requests that wait for the backend. */
  get openRequests(): number {
    return this.#work.requests;
  }

  /** @throws PROTOCOL_ERROR, INVALID_PATTERN */
  onFrame(type: number, bytes: Buffer, start: number, end: number): void {
    const reader = new ByteReader(bytes, start, end);
    if (type === fromClient.publish) this.#publish(reader);
    else if (type === fromClient.settle) this.#settle(reader);
    else if (type === fromClient.credit) this.#credit(reader);
    else if (type === fromClient.subscribe) this.#subscribe(reader);
    else if (type === fromClient.unsubscribe) this.#unsubscribe(reader);
    else if (type === fromClient.extend) this.#extend(reader);
    else if (type === fromClient.call) this.#call(reader);
    else if (type === fromClient.verdicts) this.#walks.decide(reader, this.#messages);
    else if (type === fromClient.cancel) this.#walks.cancel(reader);
    else throw violation(`an unknown frame (${type})`);
  }

  report(event: BackendEvent): void {
    if (event.type !== "gap") this.#send(fromServer.event, undefined, event);
    else {
      for (const [number, subscription] of this.#subscriptions) {
        if (subscription.backend === event.subscription) this.#send(fromServer.event, undefined, { type: "gap", subscription: number, count: event.count });
      }
    }
  }

  /** What was unsettled goes back to its groups. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#walks.endAll();
    this.#subscriptions.clear();
    await this.#session.close();
  }

  #publish(reader: ByteReader): void {
    const bytes = reader.end - reader.position;
    const id = reader.u32();
    const flags = reader.u8();
    const request = this.#publishRequest(flags, reader);
    const count = reader.u32();
    const messages = this.#messages.readEncoded(reader.bytes, reader.position, reader.end, count);
    reader.position = this.#messages.position;
    reader.finish();
    this.#work.begin(bytes);
    this.#session.publish(messages, request).then(
      (statuses) => this.#endPublish(id, statuses, bytes),
      (error: unknown) => this.#fail(id, error, bytes),
    );
  }

  #publishRequest(flags: number, reader: ByteReader): PublishRequest {
    if (flags === publishFlags.firstSend) return this.#firstSendRequest;
    if (flags === 0) return this.#plainRequest;
    if (flags > 15) throw violation("unknown flags of a publish");
    const base = { signal: this.#ended.signal, positions: (flags & publishFlags.positions) !== 0, isFirstSend: (flags & publishFlags.firstSend) !== 0 };
    if ((flags & publishFlags.toGroup) !== 0) return { ...base, target: { group: reader.text8() } };
    if ((flags & publishFlags.toDeadLetters) !== 0) return { ...base, target: { deadLetters: reader.text8() } };
    return base;
  }

  #endPublish(id: number, statuses: readonly PublishStatus[] | undefined, bytes: number): void {
    const { writer } = this.#link;
    if (statuses === undefined) writer.appendTo(fromServer.done, id);
    else writeStatuses(writer, id, statuses);
    this.#work.finish(bytes);
  }

  #settle(reader: ByteReader): void {
    const bytes = reader.end - reader.position;
    const id = reader.u32();
    const subscription = this.#subscriptions.get(reader.u32());
    this.#work.begin(bytes);
    if (subscription === undefined) {
      this.#fail(id, new HalyardError("CLOSED", "The subscription is closed; what was unsettled has gone back."), bytes);
      return;
    }
    subscription.settle(reader, this.#messages).then(
      (statuses) => this.#endSettle(id, statuses, bytes),
      (error: unknown) => this.#fail(id, error, bytes),
    );
  }

  #endSettle(id: number, statuses: readonly SettleStatus[] | undefined, bytes: number): void {
    const { writer } = this.#link;
    if (statuses === undefined) writer.appendTo(fromServer.done, id);
    else {
      writer.begin(fromServer.settled);
      writer.u32(id);
      for (const status of statuses) writer.u8(settleStatuses.indexOf(status));
      writer.end();
    }
    this.#work.finish(bytes);
  }

  #credit(reader: ByteReader): void {
    const subscription = this.#subscriptions.get(reader.u32());
    const inFlightMax = reader.u32();
    reader.finish();
    if (inFlightMax > inFlightMaxMax) throw violation("a credit out of range");
    subscription?.backend.credit(inFlightMax); // one that was closed meanwhile needs none
  }

  #subscribe(reader: ByteReader): void {
    const id = reader.u32();
    const { subscription, request } = fromJson(reader.json());
    if (this.#subscriptions.has(subscription)) throw violation("a subscription number that is in use");
    const { subscriptionsMax } = this.#limits;
    const hasRoom = this.#subscriptions.size + this.#subscribing < subscriptionsMax;
    this.#subscribing++;
    this.#answer(id, async () => {
      try {
        if (!hasRoom) throw tooManySubscriptions(subscriptionsMax);
        return this.#adopt(subscription, await this.#session.subscribe(request, this.#ended.signal));
      } finally {
        this.#subscribing--;
      }
    });
  }

  /** The answer goes out before the first delivery: the pump starts in a later turn. */
  #adopt(number: number, backend: BackendSubscription): unknown {
    const subscription = new ServedSubscription(number, backend, this.#link, this.#ended.signal);
    this.#subscriptions.set(number, subscription);
    setImmediate(() => void subscription.pump());
    return { leaseMs: backend.lease?.durationMs };
  }

  #unsubscribe(reader: ByteReader): void {
    const id = reader.u32();
    const number = reader.u32();
    reader.finish();
    const subscription = this.#subscriptions.get(number);
    this.#subscriptions.delete(number);
    this.#answer(id, async () => subscription?.close());
  }

  #extend(reader: ByteReader): void {
    const id = reader.u32();
    const subscription = this.#subscriptions.get(reader.u32());
    const numbers: number[] = [];
    let last = 0;
    while (!reader.isAtEnd) {
      last += reader.difference();
      numbers.push(last);
    }
    this.#answer(id, async () => (subscription === undefined ? numbers : subscription.extend(numbers)));
  }

  #call(reader: ByteReader): void {
    const id = reader.u32();
    const method = reader.u8();
    const input = reader.json();
    const { signal } = this.#ended;
    const session = this.#session;
    if (method === methods.deadLetterWalk) this.#answer(id, this.#walks.begin(id, record(input), session));
    else if (method === methods.historyRead) this.#answerPage(id, () => readHistory(session, input, signal));
    else if (method === methods.historyById) this.#answerPage(id, () => readHistoryById(session, input, signal));
    else this.#answer(id, () => answer(session, method, input, signal));
  }

  /** Runs a request whose answer is JSON, or nothing. */
  #answer(id: number, run: () => Promise<unknown>): void {
    this.#work.begin(0);
    run().then(
      (value) => {
        if (value === undefined) this.#link.writer.appendTo(fromServer.done, id);
        else this.#send(fromServer.answer, id, value);
        this.#work.finish(0);
      },
      (error: unknown) => this.#fail(id, error, 0),
    );
  }

  #answerPage(id: number, run: () => Promise<StoredPage>): void {
    this.#work.begin(0);
    run()
      .then((page) => writePageParts(this.#link, id, page.messages, page.end ? pageFlags.end : 0))
      .then(
        () => this.#work.finish(0),
        (error: unknown) => this.#fail(id, error, 0),
      );
  }

  #fail(id: number, error: unknown, bytes: number): void {
    this.#send(fromServer.failure, id, toWireError(error));
    this.#work.finish(bytes);
  }

  #send(type: number, id: number | undefined, value: unknown): void {
    const { writer } = this.#link;
    writer.begin(type);
    if (id !== undefined) writer.u32(id);
    writer.json(value);
    writer.end();
  }
}

function tooManySubscriptions(subscriptionsMax: number): HalyardError {
  return new HalyardError("BACKPRESSURE", `This connection has ${subscriptionsMax} subscriptions, as many as the server allows (option subscriptionsMax).`);
}
