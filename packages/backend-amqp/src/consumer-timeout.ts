/**
 * How long the broker lets a consumer hold a message: its `consumer_timeout`. AMQP does not tell it, and neither does the management plugin, so at first
 * it is what the options say. When it was shorter the broker tells it while it closes the channel, and from then on that is believed: handlers
 * are timed out before the broker closes another channel with everything that it holds.
 */
import { HalyardError } from "@halyard/core/spi";
import { consumerTimeoutOf } from "./errors.ts";

/** Left to settle a message whose handler used all its time: so much, or a tenth where that is less. */
const marginMsMax = 10_000;

export class ConsumerTimeout {
  #timeoutMs: number | undefined;

  /** `undefined`: the broker has none, as far as is known. */
  constructor(timeoutMs: number | undefined) {
    this.#timeoutMs = timeoutMs;
  }

  get timeoutMs(): number | undefined {
    return this.#timeoutMs;
  }

  /** Longest time that a handler may take, so that its message is settled before the broker looks. */
  get handlerMsMax(): number | undefined {
    return this.#timeoutMs === undefined ? undefined : Math.max(1, this.#timeoutMs - Math.min(marginMsMax, Math.ceil(this.#timeoutMs / 10)));
  }

  /** The end of a channel may tell. */
  learn(error: Error | undefined): void {
    this.#timeoutMs = consumerTimeoutOf(error)?.timeoutMs ?? this.#timeoutMs;
  }

  /** What becomes of a group's subscription whose channel ended with this error; `undefined` where it was closed for another reason. */
  exceeded(group: string, error: Error | undefined): HalyardError | undefined {
    const found = consumerTimeoutOf(error);
    if (found === undefined) return undefined;
    const statedMs = this.#timeoutMs;
    this.learn(error);
    const learned = this.#timeoutMs === statedMs ? "" : ` It is taken into account from now on: give the option consumerTimeoutMs: ${this.#timeoutMs}.`;
    const limit = found.timeoutMs === undefined ? "" : ` (${found.timeoutMs} ms)`;
    const text =
      `RabbitMQ took back what a member of group ${group} held, because a message was not settled within the server's consumer_timeout${limit} ` +
      "after it was fetched; everything unsettled comes again." +
      `${learned} Let handlers end sooner, fetch less in advance (inFlightMax), or raise consumer_timeout in rabbitmq.conf.`;
    return new HalyardError("BACKEND_FAILED", text, { cause: error, retryable: true, details: { consumerTimeoutMs: this.#timeoutMs } });
  }
}
