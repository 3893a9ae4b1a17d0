/** From a batch that core publishes to frames on their subjects, and to what became of each. */
import { HalyardError, isHalyardError, type PublishRequest, type PublishStatus, type WireMessage } from "@halyard/core/spi";
import type { NatsConnection } from "@nats-io/transport-node";
import { letterSubject, readySubject, type Topology, topicSubject } from "./names.ts";
import type { Frame, Publisher } from "./publisher.ts";
import type { Sweeper } from "./sweeper.ts";
import { encodeHeaders, publishId, withinBytes } from "./wire.ts";

/** What a retry adds to the headers of a message. */
const retryBytes = 1_024;

export interface OutgoingParts {
  readonly connection: NatsConnection;
  readonly publisher: Publisher;
  readonly topology: Topology;
  readonly sweeper: Sweeper | undefined;
  hasGroup(group: string): Promise<boolean>;
}

/** Largest message that the server takes, headers included. */
export const payloadBytesMaxOf = ({ info }: NatsConnection): number => info?.max_payload ?? 0;

export class Outgoing {
  readonly #parts: OutgoingParts;

  constructor(parts: OutgoingParts) {
    this.#parts = parts;
  }

  async publish(messages: readonly WireMessage[], { target, positions }: PublishRequest): Promise<readonly PublishStatus[] | undefined> {
    if (target !== undefined && "group" in target && !(await this.#parts.hasGroup(target.group))) {
      const error = new HalyardError("NO_SUCH_GROUP", `There is no group ${target.group}: define it or subscribe to it first.`);
      return messages.map(() => ({ status: "refused", error }));
    }
    const { topology, publisher, connection } = this.#parts;
    const payloadBytesMax = payloadBytesMaxOf(connection);
    const frames = new Array<Frame>(messages.length);
    let isTooLarge = false;
    for (let index = 0; index < messages.length; index++) {
      const message = messages[index] as WireMessage; // index < length
      const { body } = message;
      let subject: string;
      let headers: Uint8Array;
      if (target === undefined) {
        subject = topicSubject(topology, message.topic);
        headers = encodeHeaders(message, publishId(message));
      } else if ("group" in target) {
        subject = readySubject(topology, target.group);
        headers = encodeHeaders(message, "", { topic: message.topic });
      } else {
        subject = letterSubject(topology, target.deadLetters);
        headers = withinBytes(message, payloadBytesMax, (one) => encodeHeaders(one, "", { topic: one.topic }));
      }
      if (headers.byteLength + body.byteLength + retryBytes > payloadBytesMax) isTooLarge = true;
      frames[index] = { subject, headers, body };
    }
    if (isTooLarge) return this.#publishFitting(frames, payloadBytesMax, positions === true);
    const statuses = await publisher.send(frames, positions);
    if (target === undefined) this.#noteStored(statuses);
    return statuses;
  }

  /** The server closes the connection of who sends too much, so nothing of it leaves. */
  async #publishFitting(frames: readonly Frame[], payloadBytesMax: number, positions: boolean): Promise<readonly PublishStatus[]> {
    const fitting = frames.filter(({ headers, body }) => headers.byteLength + body.byteLength + retryBytes <= payloadBytesMax);
    const statuses = await this.#parts.publisher.send(fitting, positions);
    let sent = 0;
    return frames.map((frame): PublishStatus => {
      if (fitting[sent] === frame) return statuses?.[sent++] ?? { status: "accepted" };
      const bytes = frame.headers.byteLength + frame.body.byteLength;
      const text = `The message has ${bytes} bytes with its headers; the NATS server takes ${payloadBytesMax - retryBytes} (max_payload, less what a retry adds).`;
      return { status: "refused", error: new HalyardError("PAYLOAD_TOO_LARGE", text, { details: { bytes } }) };
    });
  }

  #noteStored(statuses: readonly PublishStatus[] | undefined): void {
    const { sweeper } = this.#parts;
    if (sweeper === undefined) return;
    sweeper.noteActivity();
    if (statuses?.some((status) => status.status === "refused" && isHalyardError(status.error, "BACKPRESSURE")) === true) sweeper.hurry();
  }
}
