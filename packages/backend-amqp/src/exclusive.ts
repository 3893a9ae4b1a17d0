/**
 * Who is the active member of an exclusive group: a queue with `x-single-active-consumer`, of which every member that asked for it is a consumer. The
 * broker hands messages to one of them only, so whoever holds one (the token) is the active member; each member puts one in when it comes. When the
 * active one goes, what it held goes to the next. A token counts for the broker's `consumer_timeout` as any message does, so its holder gives it back now
 * and then, and gets it again at once, being the only active consumer.
 *
 * Road not taken: `x-single-active-consumer` on the group's own queue. There only one consumer of the group is active, but credit that can change needs
 * several (see `consumers.ts`), and a change of credit would make another member the active one in the middle of a message.
 */
import { HalyardError } from "@halyard/core/spi";
import type { ConsumeMessage } from "amqplib";
import { type ChannelParts, openChannel } from "./channel.ts";
import type { ConsumerTimeout } from "./consumer-timeout.ts";
import type { Declare } from "./declare.ts";
import type { Declaration } from "./declared.ts";
import type { Publisher } from "./publisher.ts";

export interface ExclusiveParts {
  readonly channels: ChannelParts;
  readonly declare: Declare;
  readonly publisher: Publisher;
  readonly queue: string;
  readonly group: string;
  readonly tag: string;
  readonly consumerTimeout: ConsumerTimeout;
  /** The queue was deleted. Resolves with why the subscription is to end. */
  readonly whyGone: (declaration: Declaration | undefined) => Promise<HalyardError>;
}

export interface ExclusiveMembership {
  /** Resolves when this member is the active one, which it then stays. */
  readonly activated: Promise<void>;
  /** Resolves when it is active no more, or never can be. */
  readonly ended: Promise<HalyardError>;
  close(): Promise<void>;
}

/** Beyond the first these are taken out again; a bound for what a consumer holds. */
const tokensHeldMax = 16;

/** A token is given back so often within the broker's `consumer_timeout`, and at least every five minutes, since the option may say too much. */
const renewalsPerTimeout = 3;
const renewalMsMax = 300_000;

export async function joinExclusive({
  channels,
  declare,
  publisher,
  queue,
  group,
  tag,
  consumerTimeout,
  whyGone,
}: ExclusiveParts): Promise<ExclusiveMembership> {
  await declare.exclusive(group);
  const declaration = declare.current(queue);
  const channel = await openChannel(channels);
  let activate: () => void = () => undefined;
  let end: (error: HalyardError) => void = () => undefined;
  const activated = new Promise<void>((resolve) => {
    activate = resolve;
  });
  const ended = new Promise<HalyardError>((resolve) => {
    end = resolve;
  });
  let isClosing = false;
  let token: ConsumeMessage | undefined;
  let cancelRenewal: () => void = () => undefined;
  const renewLater = (): void => {
    if (!channel.isOpen) return;
    const { timeoutMs = renewalMsMax } = consumerTimeout;
    cancelRenewal = channels.clock.after(Math.min(renewalMsMax, timeoutMs / renewalsPerTimeout), () => {
      const held = token;
      token = undefined;
      if (held !== undefined) channel.send((open) => open.nack(held, false, true));
      renewLater();
    });
  };
  const lose = (reason: string): void => {
    cancelRenewal();
    if (!isClosing) end(new HalyardError("BACKEND_FAILED", `This member of the exclusive group ${group} is active no more: ${reason}.`, { retryable: true }));
  };
  channel.onEnd((error) => {
    consumerTimeout.learn(error);
    lose(error?.message ?? "its channel closed");
  });
  try {
    await channel.call(`Consuming the queue ${queue}`, async (raw) => {
      await raw.prefetch(tokensHeldMax);
      await raw.consume(
        queue,
        (message) => {
          if (message === null) {
            cancelRenewal();
            if (!isClosing) void whyGone(declaration).then(end);
          } else if (token !== undefined) channel.send((open) => open.ack(message));
          else {
            token = message;
            activate();
          }
        },
        { consumerTag: tag },
      );
    });
    const failures = await (await publisher.line()).publish([
      { exchange: "", routingKey: queue, body: Buffer.alloc(0), options: { mandatory: true, deliveryMode: 2, messageId: tag } },
    ]);
    if ([...(failures?.values() ?? [])].includes("returned")) await declare.gone(queue, declaration);
    if (failures !== undefined)
      throw new HalyardError("BACKEND_FAILED", `RabbitMQ did not take the token of the exclusive group ${group}.`, { retryable: true });
  } catch (error) {
    isClosing = true;
    declare.forget(queue);
    await channel.close();
    throw error;
  }
  renewLater();
  return {
    activated,
    ended,
    async close() {
      isClosing = true;
      cancelRenewal();
      await channel.close();
    },
  };
}
