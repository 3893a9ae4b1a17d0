/**
 * One channel, guarded: an `error` listener for its life (without one a refused request closes the whole connection), a deadline on every request,
 * and no second use after anything went wrong. Where amqplib throws in the middle of a request its channel never answers again, so a channel that
 * failed once is given up, never repaired.
 */
import { type Clock, endsWithin, HalyardError } from "@halyard/core/spi";
import type { Channel, ConfirmChannel } from "amqplib";
import type { Connection } from "./connection.ts";
import { consumerTimeoutOf, lostError, requestError } from "./errors.ts";
import { within } from "./waiting.ts";

export interface ChannelParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly requestTimeoutMs: number;
}

export class GuardedChannel<Raw extends Channel = Channel> {
  readonly raw: Raw;
  readonly #parts: ChannelParts;
  #error: Error | undefined;
  #isOpen = true;
  #onEnd: (error: Error | undefined) => void = () => undefined;

  constructor(raw: Raw, parts: ChannelParts) {
    this.raw = raw;
    this.#parts = parts;
    raw.on("error", (error: Error) => {
      this.#error ??= error;
    });
    raw.on("close", () => this.#end());
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Called once when the channel is over, also by our own `close`. */
  onEnd(listener: (error: Error | undefined) => void): void {
    this.#onEnd = listener;
  }

  /** One request. `what` begins the message of its error, e.g. `Declaring the queue a.b`. */
  async call<Value>(what: string, run: (raw: Raw) => Promise<Value>): Promise<Value> {
    if (!this.#isOpen) throw this.#lost();
    try {
      return await within(this.#parts.clock, this.#parts.requestTimeoutMs, what, run(this.raw));
    } catch (thrown) {
      this.abandon(thrown instanceof Error ? thrown : new Error(String(thrown)));
      if (!this.#parts.connection.isOpen) throw lostError(thrown);
      throw thrown instanceof HalyardError ? thrown : requestError(thrown, what);
    }
  }

  /** To be called when something was written to `raw`, for the sake of what is written next: all of it leaves together. */
  gather(): void {
    this.#parts.connection.gather();
  }

  /** Throws why the channel is over: what is sent on it goes nowhere. */
  assertOpen(): void {
    if (!this.#isOpen) throw this.#lost();
  }

  /** Sends something that is not answered. False: the channel is over. */
  send(run: (raw: Raw) => void): boolean {
    if (!this.#isOpen) return false;
    try {
      run(this.raw);
      this.gather();
      return true;
    } catch (thrown) {
      this.abandon(thrown instanceof Error ? thrown : new Error(String(thrown)));
      return false;
    }
  }

  /** What was sent before is done when this resolves; what was not settled goes back. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    const closing = this.#closeRaw();
    await endsWithin(this.#parts.clock, this.#parts.requestTimeoutMs, closing);
    this.#end();
  }

  /** Nobody waits for the broker's answer. */
  abandon(error: Error): void {
    if (!this.#isOpen) return;
    this.#error ??= error;
    this.#closeRaw().catch(() => undefined); // it is closed already, or will never answer
    this.#end();
  }

  async #closeRaw(): Promise<void> {
    await this.raw.close(); // throws at once where the channel is closed
  }

  #end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onEnd(this.#error);
  }

  #lost(): HalyardError {
    if (!this.#parts.connection.isOpen) return lostError(this.#error);
    if (consumerTimeoutOf(this.#error) !== undefined) return requestError(this.#error, "What was under way");
    return new HalyardError("BACKEND_FAILED", `The channel is closed${this.#error === undefined ? "" : `: ${this.#error.message}`}.`, { cause: this.#error });
  }
}

export async function openChannel(parts: ChannelParts): Promise<GuardedChannel> {
  return new GuardedChannel(await opened(parts, () => parts.connection.model.createChannel()), parts);
}

export async function openConfirmChannel(parts: ChannelParts): Promise<GuardedChannel<ConfirmChannel>> {
  return new GuardedChannel(await opened(parts, () => parts.connection.model.createConfirmChannel()), parts);
}

async function opened<Raw extends Channel>({ connection, clock, requestTimeoutMs }: ChannelParts, open: () => Promise<Raw>): Promise<Raw> {
  if (!connection.isOpen) throw lostError(undefined);
  const opening = open();
  try {
    const raw = await within(clock, requestTimeoutMs, "Opening a channel", opening);
    return raw;
  } catch (thrown) {
    // One that opens after its deadline must not stay open, nor its error end the process.
    opening.then(
      (raw) => {
        raw.on("error", () => undefined);
        raw.close().catch(() => undefined);
      },
      () => undefined,
    );
    if (!connection.isOpen) throw lostError(thrown);
    throw thrown instanceof HalyardError ? thrown : requestError(thrown, "Opening a channel");
  }
}

/** Idle channels that are kept for the next request: opening one takes a round trip. */
const idleMax = 2;

/** Channels for single requests. One that failed is never used again. */
export class ChannelPool {
  readonly #parts: ChannelParts;
  readonly #idle: GuardedChannel[] = [];

  constructor(parts: ChannelParts) {
    this.#parts = parts;
  }

  async use<Value>(run: (channel: GuardedChannel) => Promise<Value>): Promise<Value> {
    let channel = this.#idle.pop();
    while (channel?.isOpen === false) channel = this.#idle.pop();
    channel ??= await openChannel(this.#parts);
    try {
      return await run(channel);
    } finally {
      if (channel.isOpen && this.#idle.length < idleMax) this.#idle.push(channel);
      else void channel.close();
    }
  }
}
