/**
 * The way of a batch to the server. One frame a batch; only where a batch is larger than a frame may be, the rest waits for the answer to the part
 * before it, and later batches wait behind it: a refusal for want of room must never let a later message of a topic overtake.
 */
import { HalyardError, type PublishRequest, type PublishStatus, type WireMessage } from "@halyard/core/spi";
import { type ByteReader, parseJson } from "../protocol/byte-reader.ts";
import { fromClient, publishFlags, statusFlags } from "../protocol/frames.ts";
import { messageBytesMax, writeMessage } from "../protocol/message-writer.ts";
import { fromWireError } from "../protocol/wire-error.ts";
import type { ClientSession } from "./session.ts";

type Statuses = readonly PublishStatus[] | undefined;

/** Room for the fields of a publish frame beside its messages. */
const frameHeadBytes = 512;

export class Publisher {
  readonly #session: ClientSession;
  readonly #partBytesMax: number;
  /** Set while a batch that needed several frames is on its way. */
  #tail: Promise<unknown> | undefined;

  constructor(session: ClientSession, frameBytesMax: number) {
    this.#session = session;
    this.#partBytesMax = frameBytesMax - frameHeadBytes;
  }

  publish(messages: readonly WireMessage[], request: PublishRequest): Promise<Statuses> {
    if (this.#tail !== undefined) return this.#tail.then(() => this.publish(messages, request));
    const end = this.#partEnd(messages, 0);
    if (end === messages.length) return this.#send(messages, request);
    const whole = this.#sendParts(messages, request, end);
    const tail: Promise<void> = whole.then(
      () => this.#clear(tail),
      () => this.#clear(tail),
    );
    this.#tail = tail;
    return whole;
  }

  #clear(tail: Promise<unknown>): void {
    if (this.#tail === tail) this.#tail = undefined;
  }

  async #sendParts(messages: readonly WireMessage[], request: PublishRequest, firstEnd: number): Promise<Statuses> {
    const all: PublishStatus[] = [];
    let isAllAccepted = true;
    for (let start = 0, end = firstEnd; start < messages.length; start = end, end = this.#partEnd(messages, start)) {
      const part = messages.slice(start, end);
      const statuses = await this.#send(part, request);
      if (statuses !== undefined) isAllAccepted = false;
      all.push(...(statuses ?? part.map(() => accepted)));
      const last = all.at(-1);
      const isRefused = last?.status === "refused" && last.error instanceof HalyardError && last.error.code === "BACKPRESSURE";
      if (isRefused) return [...all, ...messages.slice(end).map(() => last)];
    }
    return isAllAccepted ? undefined : all;
  }

  /** The index after the last message, from `start` on, that fits into one frame; at least one. */
  #partEnd(messages: readonly WireMessage[], start: number): number {
    let bytes = 0;
    for (let index = start; index < messages.length; index++) {
      const message = messages[index];
      if (message !== undefined) bytes += messageBytesMax(message);
      if (bytes > this.#partBytesMax && index > start) return index;
    }
    return messages.length;
  }

  #send(messages: readonly WireMessage[], request: PublishRequest): Promise<Statuses> {
    const session = this.#session;
    if (session.lost !== undefined) return Promise.reject(session.lost);
    const { signal } = request;
    if (signal.aborted) return Promise.resolve(all(messages, { status: "refused", error: aborted() }));
    return new Promise<Statuses>((resolve, reject) => {
      const onAbort = (): void => {
        session.requests.take(id);
        resolve(all(messages, { status: "unknown", error: aborted() }));
      };
      const stop = (): void => signal.removeEventListener("abort", onAbort);
      const id = session.requests.add({
        what: "publish",
        dueMs: session.dueMs,
        done: () => {
          stop();
          resolve(undefined);
        },
        answered: (_, reader) => {
          stop();
          resolve(readStatuses(reader, messages.length));
        },
        failed: (error) => {
          stop();
          // It was sent: whatever went wrong after that, the server may have stored it.
          if (session.lost !== undefined) reject(error);
          else resolve(all(messages, { status: "unknown", error }));
        },
      });
      signal.addEventListener("abort", onAbort);
      try {
        this.#write(id, messages, request);
      } catch (error) {
        session.requests.take(id);
        stop();
        resolve(this.#sendSingly(messages, request, error));
      }
    });
  }

  /** One message that cannot be written must not take the others of its batch along. */
  async #sendSingly(messages: readonly WireMessage[], request: PublishRequest, error: unknown): Promise<Statuses> {
    if (messages.length === 1) return [{ status: "refused", error: error instanceof Error ? error : new Error(String(error)) }];
    const each = await Promise.all(messages.map((message) => this.#send([message], request)));
    return each.map((statuses) => statuses?.[0] ?? accepted);
  }

  #write(id: number, messages: readonly WireMessage[], request: PublishRequest): void {
    const { writer } = this.#session.link;
    const { target } = request;
    const name = target === undefined ? undefined : "group" in target ? target.group : target.deadLetters;
    let flags = (request.positions === true ? publishFlags.positions : 0) | (request.isFirstSend === true ? publishFlags.firstSend : 0);
    if (target !== undefined) flags |= "group" in target ? publishFlags.toGroup : publishFlags.toDeadLetters;
    writer.begin(fromClient.publish);
    try {
      writer.u32(id);
      writer.u8(flags);
      if (name !== undefined) writer.text8(name);
      writer.u32(messages.length);
      for (const message of messages) writeMessage(writer, message);
      if (writer.frameBytes > this.#partBytesMax + frameHeadBytes) throw tooLarge(writer.frameBytes, this.#partBytesMax);
    } catch (error) {
      writer.cancel();
      throw error;
    }
    writer.end();
  }
}

const accepted: PublishStatus = Object.freeze({ status: "accepted" });

function readStatuses(reader: ByteReader, count: number): readonly PublishStatus[] {
  const statuses: PublishStatus[] = [];
  let error: Error | undefined;
  reader.u32();
  for (let index = 0; index < count; index++) {
    const flags = reader.u8();
    if ((flags & (statusFlags.refused | statusFlags.unknown)) === 0) {
      statuses.push({
        status: "accepted",
        position: (flags & statusFlags.position) === 0 ? undefined : reader.text8(),
        duplicate: (flags & statusFlags.duplicate) === 0 ? undefined : true,
      });
      continue;
    }
    if ((flags & statusFlags.sameError) === 0 || error === undefined) error = fromWireError(parseJson(reader.text32()));
    statuses.push({ status: (flags & statusFlags.refused) === 0 ? "unknown" : "refused", error });
  }
  return statuses;
}

function all(messages: readonly WireMessage[], status: PublishStatus): readonly PublishStatus[] {
  return messages.map(() => status);
}

function aborted(): HalyardError {
  return new HalyardError("ABORTED", "The publish was aborted.");
}

function tooLarge(bytes: number, bytesMax: number): HalyardError {
  return new HalyardError(
    "PAYLOAD_TOO_LARGE",
    `The message takes ${bytes} bytes with its fields, ${bytesMax} at most here: raise frameBytesMax of the embedded server.`,
  );
}
