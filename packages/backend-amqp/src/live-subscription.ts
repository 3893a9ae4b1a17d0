/**
 * A live subscription: an exclusive queue that goes with its connection, read without acks into a bounded buffer. What does not fit pushes out the
 * oldest, and the gap is counted and reported; the broker is never made to wait.
 */
import type { BackendSubscription, Delivery, Host, Settlement, SettleStatus } from "@halyard/core/spi";
import { DeliveryBuffer, HalyardError } from "@halyard/core/spi";
import type { ConsumeMessage } from "amqplib";
import type { GuardedChannel } from "./channel.ts";
import { lostError } from "./errors.ts";
import { fromMessage, isGuessedId } from "./wire.ts";

/** Drops of so long are reported together: one event for a flood instead of thousands. */
const gapMs = 20;

export interface LivePort {
  readonly lost: HalyardError | undefined;
  forget(subscription: LiveSubscription): void;
  /** Its queue was deleted under it. */
  liveGone(): HalyardError;
}

export class LiveSubscription implements BackendSubscription {
  readonly #port: LivePort;
  readonly #host: Host;
  readonly #channel: GuardedChannel;
  readonly #bufferMax: number;
  readonly #arrived = new DeliveryBuffer<ConsumeMessage>();
  readonly #unsettled = new Set<number>();
  #dropped = 0;
  #cancelReport: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #guesses = 0;

  constructor(port: LivePort, host: Host, channel: GuardedChannel, bufferMax: number) {
    this.#port = port;
    this.#host = host;
    this.#channel = channel;
    this.#bufferMax = Math.max(1, bufferMax);
    channel.onEnd((error) =>
      this.fail(
        port.lost ??
          (error === undefined
            ? lostError(undefined) // RabbitMQ says why it closes a channel: this one went with its connection
            : new HalyardError("BACKEND_FAILED", `RabbitMQ closed the channel of a live subscription: ${error.message}`, { cause: error })),
      ),
    );
  }

  async receive(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    const arrived = await this.#arrived.receive(max, signal);
    return arrived.map((raw) => this.#deliver(raw));
  }

  /** The buffer is the credit, and stands full of what came while nobody asked. */
  credit(): void {}

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    if (this.#port.lost !== undefined) throw this.#port.lost;
    let statuses: SettleStatus[] | undefined;
    for (const [index, { receipt, outcome }] of settlements.entries()) {
      const isHeld = this.#unsettled.delete(receipt as number);
      if (isHeld && outcome.type !== "move") continue;
      statuses ??= new Array<SettleStatus>(settlements.length).fill("done");
      statuses[index] = isHeld ? "failed" : "stale"; // a live copy has neither inbox nor dead letters
    }
    return statuses;
  }

  /** `over`: its session closes, and who receives is to be refused with this. */
  close(over?: HalyardError): Promise<void> {
    this.#closing ??= this.#close(over);
    return this.#closing;
  }

  fail(error: Error): void {
    if (this.#arrived.isOver) return;
    this.#arrived.fail(error);
    this.#leave();
    this.#channel.abandon(error);
  }

  readonly onDelivery = (raw: ConsumeMessage | null): void => {
    if (this.#arrived.isOver) return;
    if (raw === null) {
      this.fail(this.#port.liveGone());
      return;
    }
    if (this.#arrived.size >= this.#bufferMax) {
      this.#arrived.shift();
      this.#dropped++;
      this.#cancelReport ??= this.#host.clock.after(gapMs, this.#reportGap);
    }
    this.#arrived.push(raw);
  };

  #deliver(raw: ConsumeMessage): Delivery {
    const message = fromMessage(raw, () => this.#host.clock.nowMs());
    const receipt = raw.fields.deliveryTag;
    this.#unsettled.add(receipt);
    // Nothing comes twice here, so what has no id of its own is nobody's repeat.
    return { message: isGuessedId(raw) ? { ...message, id: `${message.id}.${++this.#guesses}` } : message, deliveries: 1, receipt, position: undefined, raw };
  }

  readonly #reportGap = (): void => {
    this.#cancelReport = undefined;
    const count = this.#dropped;
    this.#dropped = 0;
    if (count > 0) this.#host.report({ type: "gap", subscription: this, count });
  };

  async #close(over: HalyardError | undefined): Promise<void> {
    if (this.#dropped > 0) this.#reportGap();
    if (over === undefined) this.#arrived.close();
    else this.#arrived.fail(over);
    this.#leave();
    await this.#channel.close(); // the queue goes with its only consumer
  }

  #leave(): void {
    this.#cancelReport?.();
    this.#unsettled.clear();
    this.#port.forget(this);
  }
}
