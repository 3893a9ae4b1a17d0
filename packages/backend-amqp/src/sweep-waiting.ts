/**
 * Takes the waiting retries of a removed group out of the ladder, whose queues it shares with all other groups. Each queue is read to its end without
 * acking what belongs to others; closing the channel puts that back where it was. Copies of other groups that fall due meanwhile are late by the time
 * that this takes.
 */
import type { ConsumeMessage } from "amqplib";
import type { ChannelParts, GuardedChannel } from "./channel.ts";
import type { Declare } from "./declare.ts";
import type { NamespaceNames } from "./names.ts";
import { waitKey } from "./topology.ts";
import { pause } from "./waiting.ts";

export interface SweepParts {
  readonly channels: ChannelParts;
  readonly declare: Declare;
  readonly names: NamespaceNames;
  readonly group: string;
  readonly classes: readonly number[];
  readonly open: () => Promise<GuardedChannel>;
}

/** Most copies taken out of one queue at once; the rest of a longer queue goes in further rounds. */
const roundMax = 65_535;
const pollMs = 5;
/** Queues that are swept at once. */
const sweepsMax = 8;

export async function sweepWaiting(parts: SweepParts): Promise<void> {
  const classes = [...parts.classes];
  const sweep = async (): Promise<void> => {
    for (let classMs = classes.shift(); classMs !== undefined; classMs = classes.shift()) await sweepClass(parts, classMs);
  };
  await Promise.all(Array.from({ length: sweepsMax }, sweep));
}

async function sweepClass({ channels, declare, names, group, open }: SweepParts, classMs: number): Promise<void> {
  const queue = names.waitQueue(classMs);
  const key = waitKey(classMs, group);
  if (((await declare.look(queue))?.messageCount ?? 0) === 0) return;
  const channel = await open();
  try {
    const onCopy = (copy: ConsumeMessage | null): void => {
      if (copy !== null && copy.fields.routingKey === key) channel.send((raw) => raw.ack(copy));
    };
    await channel.call(`Consuming the queue ${queue}`, async (raw) => {
      await raw.prefetch(roundMax);
      await raw.consume(queue, onCopy, { consumerTag: `sweep-${group}-${classMs}` });
    });
    while (channel.isOpen && ((await declare.look(queue))?.messageCount ?? 0) > 0) await pause(channels.clock, pollMs);
    await channel.call(`Cancelling a consumer of ${queue}`, (raw) => raw.cancel(`sweep-${group}-${classMs}`));
  } finally {
    await channel.close(); // also tells the broker the acks
  }
}
