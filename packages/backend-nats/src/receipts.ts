/** What is in the hands of this process, and what a session that was lost left in them. */
import type { Clock } from "@halyard/core/spi";
import type { NatsConnection } from "@nats-io/transport-node";
import { placeOf } from "./ack-subject.ts";
import { forgetDeadRequests } from "./pull-source.ts";

/** Names one hand-over. */
export class Receipt {
  /** Where the server listens for its settlement. */
  readonly reply: string;
  /** `{stream}-{sequence}`: in the broker-side id of what replaces it. */
  readonly move: string;
  readonly id: string;
  /** By our own monotonic clock; a little before the server's. */
  leaseUntilMs: number;

  constructor(reply: string, move: string, id: string, leaseUntilMs: number) {
    this.reply = reply;
    this.move = move;
    this.id = id;
    this.leaseUntilMs = leaseUntilMs;
  }
}

/** Settles by publishing to the reply subject. https://docs.nats.io/using-nats/developer/develop_jetstream/model_deep_dive#acknowledgement-models */
export const nak = "-NAK";
export const inProgress = "+WPI";

const strandedMax = 10_000;

/**
 * A server does not take back what it sent into a connection that broke: it waits for `ack_wait`. What this process had received and not settled it can
 * give back itself as soon as it is connected again, as long as the lease holds; after that somebody else may have it, and servers take a late
 * refusal for the new owner's.
 */
export class Stranded {
  readonly #replies = new Map<string, number>();

  add(receipts: Iterable<Receipt>, nowMs: number): void {
    for (const { reply, leaseUntilMs } of receipts) if (leaseUntilMs > nowMs && this.#replies.size < strandedMax) this.#replies.set(reply, leaseUntilMs);
  }

  async giveBack(connection: NatsConnection, clock: Clock, apiPrefix: string): Promise<void> {
    const replies = [...this.#replies];
    this.#replies.clear();
    // Requests of the connection that broke may still wait at the consumers, and nothing else.
    const consumers = new Map(replies.map(([reply]) => [placeOf(reply).join(" "), placeOf(reply)]));
    await Promise.all([...consumers.values()].map(([stream, durable]) => forgetDeadRequests(connection, apiPrefix, stream, durable)));
    const nowMs = clock.monotonicMs();
    for (const [reply, leaseUntilMs] of replies) if (leaseUntilMs > nowMs && !connection.isClosed()) connection.publish(reply, nak);
  }
}
