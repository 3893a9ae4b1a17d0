/** What the consumers on bare client libraries have in common. */
import { partSettings, playPart } from "../part.ts";
import type { Payload } from "../payload.ts";
import { markNow } from "../questions.ts";
import { Receiver } from "../receiver.ts";

export interface BareConsumerSettings {
  readonly url: string;
  /** Most messages that the broker hands over before it sees an ack. */
  readonly window: number;
  /** Whether to note when each message came. */
  readonly isTimed: boolean;
}

/** One client library, as one would use it. */
export interface BareConsumer {
  /** Messages that the broker holds, waiting or unacked. */
  held(): Promise<number>;
  close(): Promise<void>;
}

/** Longest wait for the last acks. */
const ackMsMax = 30_000;

/** The part that consumes with this client. `connect` is given what handles the JSON of a message. */
export function playBareConsumer(connect: (settings: BareConsumerSettings, handle: (json: string) => void) => Promise<BareConsumer>): void {
  playPart(async () => {
    const settings = partSettings<BareConsumerSettings>();
    const receiver = new Receiver(settings.isTimed);
    // What was written by the publisher of the same run.
    const consumer = await connect(settings, (json) => receiver.handle((JSON.parse(json) as Payload).n));
    return {
      mark: () => markNow(0, receiver.handled),
      finish: async () => {
        await untilNothingHeld(consumer);
        return receiver.totals();
      },
      arrivals: () => receiver.arrivalsMs,
      end: async () => {
        await consumer.close();
        return markNow(0, receiver.handled);
      },
    };
  });
}

async function untilNothingHeld(consumer: BareConsumer): Promise<void> {
  const deadlineMs = performance.now() + ackMsMax;
  for (;;) {
    const held = await consumer.held();
    if (held === 0) return;
    if (performance.now() > deadlineMs) throw new Error(`The broker still holds ${held} messages ${ackMsMax} ms after the last was handled.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
