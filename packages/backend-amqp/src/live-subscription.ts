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

interface Copy {
  readonly raw: ConsumeMessage;
  readonly deliveries: number;
}

export class LiveSubscription implements BackendSubscription {
  readonly #port: LivePort;
  readonly #host: Host;
  readonly #channel: GuardedChannel;
  readonly #bufferMax: number;
  readonly #arrived = new DeliveryBuffer<Copy>();
  /** By receipt, with how often it was handed over. */
  readonly #unsettled = new Map<number, Copy>();
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
    return arrived.map((copy) => this.#deliver(copy));
  }

  /** The buffer is the credit, and stands full of what came while nobody asked. */
  credit(): void {}

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleStatus[] | undefined> {
    if (this.#port.lost !== undefined) throw this.#port.lost;
    let statuses: SettleStatus[] | undefined;
    for (const [index, { receipt, outcome }] of settlements.entries()) {
      const copy = this.#unsettled.get(receipt as number);
      this.#unsettled.delete(receipt as number);
      if (copy !== undefined && outcome.type === "release" && !this.#arrived.isOver) this.#keep({ ...copy, deliveries: copy.deliveries + 1 });
      if (copy !== undefined && outcome.type !== "move") continue;
      statuses ??= new Array<SettleStatus>(settlements.length).fill("done");
      statuses[index] = copy === undefined ? "stale" : "failed"; // a live copy has neither inbox nor dead letters
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
    this.#keep({ raw, deliveries: 1 });
  };

  /** What is given back waits behind what came meanwhile: there is no queue to go back to. */
  #keep(copy: Copy): void {
    if (this.#arrived.size >= this.#bufferMax) {
      this.#arrived.shift();
      this.#dropped++;
      this.#cancelReport ??= this.#host.clock.after(gapMs, this.#reportGap);
    }
    this.#arrived.push(copy);
  }

  #deliver(copy: Copy): Delivery {
    const { raw, deliveries } = copy;
    const message = fromMessage(raw, () => this.#host.clock.nowMs());
    const receipt = raw.fields.deliveryTag;
    this.#unsettled.set(receipt, copy);
    // The broker hands over nothing twice here, so what has no id of its own is nobody's repeat.
    return { message: isGuessedId(raw) ? { ...message, id: `${message.id}.${++this.#guesses}` } : message, deliveries, receipt, position: undefined, raw };
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
