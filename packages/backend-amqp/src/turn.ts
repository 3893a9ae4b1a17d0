/**
 * Whose turn it is in an exclusive group: a queue with `x-single-active-consumer`, of which every member is a consumer. The broker hands messages to one
 * of them only, so whoever holds one is the active member; each member puts one in when it comes. When the active one goes, what it held goes to the next.
 *
 * Road not taken: `x-single-active-consumer` on the group's own queue. There only one consumer of the group is active, but credit that can change needs
 * several (see `consumers.ts`), and a change of credit would hand the turn to another member in the middle of a message.
 */

import { HalyardError } from "@halyard/core/spi";
import type { ChannelParts } from "./channel.ts";
import { openChannel } from "./channel.ts";
import type { Declare } from "./declare.ts";
import type { Publisher } from "./publisher.ts";

export interface TurnParts {
  readonly channels: ChannelParts;
  readonly declare: Declare;
  readonly publisher: Publisher;
  readonly queue: string;
  readonly group: string;
  readonly tag: string;
}

export interface Turn {
  /** Resolves when it is this member's turn, which it then keeps. */
  readonly taken: Promise<void>;
  /** Resolves when the turn is lost, or can never come. */
  readonly ended: Promise<HalyardError>;
  close(): Promise<void>;
}

/** Beyond the first these are taken out again; a bound for what a consumer holds. */
const tokensHeldMax = 16;

export async function waitForTurn({ channels, declare, publisher, queue, group, tag }: TurnParts): Promise<Turn> {
  await declare.turn(group);
  const channel = await openChannel(channels);
  let take: () => void = () => undefined;
  let end: (error: HalyardError) => void = () => undefined;
  const taken = new Promise<void>((resolve) => {
    take = resolve;
  });
  const ended = new Promise<HalyardError>((resolve) => {
    end = resolve;
  });
  let isClosing = false;
  let isHeld = false;
  const lose = (reason: string): void => {
    if (!isClosing) end(new HalyardError("BACKEND_FAILED", `The turn in the exclusive group ${group} is lost: ${reason}.`, { retryable: true }));
  };
  channel.onEnd((error) => lose(error?.message ?? "its channel closed"));
  try {
    await channel.call(`Consuming the queue ${queue}`, async (raw) => {
      await raw.prefetch(tokensHeldMax);
      await raw.consume(
        queue,
        (message) => {
          if (message === null) {
            declare.forget(queue);
            lose("its queue was deleted");
          } else if (isHeld) channel.send((open) => open.ack(message));
          else {
            isHeld = true;
            take();
          }
        },
        { consumerTag: tag },
      );
    });
    const failures = await (await publisher.line()).publish([
      { exchange: "", routingKey: queue, body: Buffer.alloc(0), options: { mandatory: true, deliveryMode: 2, messageId: tag } },
    ]);
    if (failures !== undefined)
      throw new HalyardError("BACKEND_FAILED", `RabbitMQ did not take the token of the exclusive group ${group}.`, { retryable: true });
  } catch (error) {
    isClosing = true;
    declare.forget(queue);
    await channel.close();
    throw error;
  }
  return {
    taken,
    ended,
    async close() {
      isClosing = true;
      await channel.close();
    },
  };
}
