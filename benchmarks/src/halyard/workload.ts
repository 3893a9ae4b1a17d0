/** What the Halyard contenders have in common: one group on a wildcard pattern, publishers that await every publish, and a wait until all is acked. */
import type { Bus, Subscription } from "@halyard/core";
import type { Payload } from "../payload.ts";
import type { Receiver } from "../receiver.ts";

const topic = "task.submitted.normal";
const group = "workers";

/** Longest wait for the last acks. */
const ackMsMax = 30_000;

export interface ConsumeSettings {
  readonly concurrency: number;
  /** Whether the handler is an async function: it costs every contender a promise a message, so the comparison leaves it out. */
  readonly isAsync?: boolean;
  /** Default: the bus's own. */
  readonly inFlightMax?: number;
}

/** Joins the group. All options but the concurrency are the defaults. */
export function consume(bus: Bus, receiver: Receiver, settings: ConsumeSettings): Promise<Subscription> {
  // Everything on this topic was published by `Publishing`.
  const numberOf = (payload: unknown): number => (payload as Payload).n;
  const { concurrency, isAsync = false, inFlightMax } = settings;
  const options = { group, concurrency, ...(inFlightMax === undefined ? {} : { inFlightMax }) };
  return isAsync
    ? bus.subscribe("task.submitted.*", options, async (message) => receiver.handle(numberOf(message.payload)))
    : bus.subscribe("task.submitted.*", options, (message) => receiver.handle(numberOf(message.payload)));
}

/**
 * Waits until the broker holds nothing for the group any more: nothing waiting, nothing handed over and not acked. A broker that does not say what is handed
 * over gets it back when the member leaves, and then says it.
 */
export async function untilAcked(bus: Bus, member: Subscription): Promise<void> {
  const deadlineMs = performance.now() + ackMsMax;
  for (;;) {
    const info = await bus.groups.get(group);
    if (info?.waiting === 0) {
      if (info.inFlight === 0 || (info.inFlight === undefined && member.state === "closed")) return;
      if (info.inFlight === undefined) {
        await member.close();
        continue;
      }
    }
    if (performance.now() > deadlineMs) throw new Error(`The group still holds messages ${ackMsMax} ms after the last was handled: ${JSON.stringify(info)}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A number of loops that each await one publish after another. */
export class Publishing {
  readonly #bus: Bus;
  readonly #payload: (index: number) => Payload;
  #begun = 0;
  #published = 0;
  #isStopped = false;

  constructor(bus: Bus, payload: (index: number) => Payload) {
    this.#bus = bus;
    this.#payload = payload;
  }

  /** Publishes that were confirmed. */
  get published(): number {
    return this.#published;
  }

  /** Resolves after `stop`, when all loops have ended. `onPublished` is told how many are confirmed. */
  async run(loops: number, onPublished?: (published: number) => void): Promise<void> {
    await Promise.all(Array.from({ length: loops }, () => this.#loop(onPublished)));
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** One publish of the next message, counted when it is confirmed. */
  async one(): Promise<void> {
    await this.#bus.publish(topic, this.#payload(this.#begun++));
    this.#published++;
  }

  async #loop(onPublished: ((published: number) => void) | undefined): Promise<void> {
    while (!this.#isStopped) {
      await this.#bus.publish(topic, this.#payload(this.#begun++));
      this.#published++;
      onPublished?.(this.#published);
    }
  }
}
