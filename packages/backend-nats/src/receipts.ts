/** What is in the hands of this process, and what a session that was lost left in them. */
import type { Clock } from "@halyard/core/spi";
import type { NatsConnection } from "@nats-io/transport-node";

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

  giveBack(connection: NatsConnection, clock: Clock): void {
    const nowMs = clock.monotonicMs();
    for (const [reply, leaseUntilMs] of this.#replies) if (leaseUntilMs > nowMs) connection.publish(reply, nak);
    this.#replies.clear();
  }
}
