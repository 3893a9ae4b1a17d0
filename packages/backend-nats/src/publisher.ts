/**
 * Publishes with confirmation. The server confirms each stored message to its reply subject; here all messages of a session share one subscription for
 * that, and the reply subject itself names the batch and the place in it. So a message costs no promise, no timer and no subscription: measured on one
 * machine 81,000 messages a second instead of the 33,000 of the client's own `publish` with one promise each.
 */
import type { Clock, PublishStatus } from "@halyard/core/spi";
import { HalyardError } from "@halyard/core/spi";
import { createInbox, Empty, type Msg, MsgHdrsImpl, type NatsConnection, type PermissionViolationError, type Subscription } from "@nats-io/transport-node";
import { type ApiError, asError, fromApi, fromPermission, lost } from "./errors.ts";

export interface Frame {
  readonly subject: string;
  readonly headers: Uint8Array;
  readonly body: Uint8Array;
}

/** `true`: stored. Else what the server said, or did not say. */
type Result = true | Exclude<PublishStatus, { status: "accepted"; position?: undefined; duplicate?: undefined }>;

interface Batch {
  readonly frames: readonly Frame[];
  readonly results: (Result | undefined)[];
  readonly wantsPosition: boolean;
  readonly deadlineMs: number;
  open: number;
  /** Something else than plain acceptance came. */
  isMixed: boolean;
  resolve(statuses: readonly PublishStatus[] | undefined): void;
  reject(error: Error): void;
}

/** Hands bytes that are encoded already to the client, which asks headers for their encoding. */
class EncodedHeaders extends MsgHdrsImpl {
  bytes: Uint8Array = Empty;
  override encode(): Uint8Array {
    return this.bytes;
  }
}

const stored: PublishStatus = Object.freeze({ status: "accepted" });
const asciiE = 0x65;
const asciiBrace = 0x7d;
const duplicateEnd = "true";

export class Publisher {
  readonly #connection: NatsConnection;
  readonly #clock: Clock;
  readonly #confirmTimeoutMs: number;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #batches = new Map<number, Batch>();
  readonly #headers = new EncodedHeaders();
  /** One object for all publishes: the client reads it before it returns. */
  readonly #options = { headers: this.#headers, reply: "" };
  readonly #onMissingStream: () => void;
  #nextBatch = 0;
  #cancelTimer: (() => void) | undefined;
  #ended: Error | undefined;

  constructor(parts: { connection: NatsConnection; clock: Clock; confirmTimeoutMs: number; inboxPrefix: string; onMissingStream: () => void }) {
    this.#connection = parts.connection;
    this.#clock = parts.clock;
    this.#confirmTimeoutMs = parts.confirmTimeoutMs;
    this.#onMissingStream = parts.onMissingStream;
    this.#inbox = `${createInbox(parts.inboxPrefix)}.`;
    this.#subscription = parts.connection.subscribe(`${this.#inbox}*`, { callback: (_, message) => this.#onConfirm(message) });
  }

  /** `undefined`: all are stored. Rejects with `CONNECTION_LOST` when the connection ends before all are answered. */
  send(frames: readonly Frame[], wantsPosition = false): Promise<readonly PublishStatus[] | undefined> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (frames.length === 0) return Promise.resolve(undefined);
    const number = this.#nextBatch++;
    return new Promise((resolve, reject) => {
      const deadlineMs = this.#clock.monotonicMs() + this.#confirmTimeoutMs;
      const batch: Batch = {
        frames,
        results: new Array<Result | undefined>(frames.length),
        wantsPosition,
        deadlineMs,
        open: frames.length,
        isMixed: false,
        resolve,
        reject,
      };
      this.#batches.set(number, batch);
      this.#arm();
      const prefix = `${this.#inbox}${number.toString(36)}-`;
      try {
        for (let index = 0; index < frames.length; index++) {
          const frame = frames[index] as Frame; // index < length
          this.#headers.bytes = frame.headers;
          this.#options.reply = prefix + index;
          this.#connection.publish(frame.subject, frame.body, this.#options);
        }
      } catch (thrown) {
        // Nothing can be thrown for a frame that was checked, except that the connection has ended.
        this.#batches.delete(number);
        reject(lost(thrown));
      }
    });
  }

  /** A permission was denied: the server names the subject, not the message, and confirms nothing. */
  onDenied(error: PermissionViolationError): void {
    for (const [number, batch] of [...this.#batches]) {
      for (const [index, frame] of batch.frames.entries())
        if (batch.results[index] === undefined && frame.subject === error.subject)
          this.#note(number, batch, index, { status: "refused", error: fromPermission(error) });
    }
  }

  /** Messages that are sent and not answered. */
  get open(): number {
    let sum = 0;
    for (const { open } of this.#batches.values()) sum += open;
    return sum;
  }

  end(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (!this.#connection.isClosed()) this.#subscription.unsubscribe();
    for (const batch of this.#batches.values()) batch.reject(error);
    this.#batches.clear();
  }

  #onConfirm(message: Msg): void {
    const { subject, data } = message;
    const dash = subject.lastIndexOf("-");
    const number = Number.parseInt(subject.slice(this.#inbox.length, dash), 36);
    const batch = this.#batches.get(number);
    if (batch === undefined) return; // too late: it was answered as unknown
    const index = Number(subject.slice(dash + 1));
    if (batch.results[index] !== undefined) return;
    this.#note(number, batch, index, this.#resultOf(message, data, batch.wantsPosition));
  }

  /** `{"stream":"s","seq":1}`, with `"duplicate": true` at the end, or `{"error":…}`: read as bytes, parsed only where there is more to know. */
  #resultOf(message: Msg, data: Uint8Array, wantsPosition: boolean): Result {
    if (data.length === 0) {
      // 503: nobody listens on this subject, so nobody stored it. The stream is gone, or has no leader now.
      this.#onMissingStream();
      return { status: "refused", error: new HalyardError("CONNECT_FAILED", `No stream stores this message now (${message.headers?.status ?? "no status"}).`) };
    }
    const isPlain = data[2] !== asciiE && data[data.length - 1] === asciiBrace && data[data.length - 2] !== duplicateEnd.charCodeAt(3);
    if (isPlain && !wantsPosition) return true;
    return parseConfirm(message);
  }

  #note(number: number, batch: Batch, index: number, result: Result): void {
    batch.results[index] = result;
    if (result !== true) batch.isMixed = true;
    if (--batch.open > 0) return;
    this.#batches.delete(number);
    batch.resolve(batch.isMixed ? batch.results.map((one) => (one === true || one === undefined ? stored : one)) : undefined);
  }

  /** One timer for all: batches are answered in order, nearly always. */
  #arm(): void {
    if (this.#cancelTimer !== undefined || this.#ended !== undefined) return;
    const [oldest] = this.#batches.values();
    if (oldest === undefined) return;
    this.#cancelTimer = this.#clock.after(Math.max(1, oldest.deadlineMs - this.#clock.monotonicMs()), () => {
      this.#cancelTimer = undefined;
      this.#expire();
      this.#arm();
    });
  }

  #expire(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [number, batch] of [...this.#batches]) {
      if (batch.deadlineMs > nowMs) return;
      const error = new HalyardError("TIMEOUT", `The NATS server did not confirm the message within ${this.#confirmTimeoutMs} ms.`);
      for (let index = 0; index < batch.frames.length; index++)
        if (batch.results[index] === undefined) this.#note(number, batch, index, { status: "unknown", error });
    }
  }
}

interface Confirm {
  readonly stream?: string;
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: ApiError;
}

function parseConfirm(message: Msg): Result {
  let confirm: Confirm;
  try {
    confirm = message.json<Confirm>();
  } catch (thrown) {
    return { status: "unknown", error: asError(thrown) };
  }
  const { error } = confirm;
  if (error === undefined) {
    const position = `${confirm.stream}:${confirm.seq}`;
    return confirm.duplicate === true ? { status: "accepted", duplicate: true, position } : { status: "accepted", position };
  }
  const refusal = fromApi(error, "The message was not stored");
  return { status: "refused", error: refusal };
}
