/** What the publishers on bare client libraries have in common: at most so many unconfirmed, refilled as confirmations come, without a promise a message of their own. */
import { paced } from "../pace.ts";
import { partSettings, playPart } from "../part.ts";
import { payloadFactory } from "../payload.ts";
import { type Mark, markNow } from "../questions.ts";

export interface BarePublisherSettings {
  readonly url: string;
  readonly payloadBytes: number;
  /** Most publishes that are not confirmed. */
  readonly outstanding: number;
  /** Messages handed to the client in one go, where it has something to gain from that. */
  readonly batch: number;
  /** Only for NATS: whether the client notes a stack trace with every request, as it does unless told otherwise. */
  readonly hasTraces?: boolean;
  /** Only for `pace`. */
  readonly perSecond: number;
  readonly seconds: number;
}

/** One client library, as one would use it. */
export interface BareClient {
  /** Sends `count` messages, the first with this number; calls back with how many are confirmed, once or several times. A failure is thrown or left unhandled: it ends the run. */
  send(first: number, count: number, onConfirmed: (count: number) => void): void;
  close(): Promise<void>;
}

/** The part that publishes with this client. `connect` is given what makes the JSON of message `index`. */
export function playBarePublisher(connect: (settings: BarePublisherSettings, json: (index: number) => string) => Promise<BareClient>): void {
  playPart(async () => {
    const settings = partSettings<BarePublisherSettings>();
    const { outstanding, batch, payloadBytes } = settings;
    const payload = payloadFactory(payloadBytes);
    const client = await connect(settings, (index) => JSON.stringify(payload(index)));
    let sent = 0;
    let confirmed = 0;
    let isStopped = true;
    let onIdle: (() => void) | undefined;
    const mark = (): Mark => markNow(confirmed, 0);

    const send = (count: number): void => {
      const first = sent;
      sent += count;
      client.send(first, count, onConfirmed);
    };
    const fill = (): void => {
      while (outstanding - (sent - confirmed) >= batch) send(batch);
    };
    const onConfirmed = (count: number): void => {
      confirmed += count;
      if (!isStopped) fill();
      else if (confirmed === sent) onIdle?.();
    };
    const idle = (): Promise<void> | undefined => (confirmed === sent ? undefined : new Promise((resolve) => (onIdle = resolve)));

    return {
      mark,
      go: () => {
        isStopped = false;
        fill();
        return mark();
      },
      stop: async () => {
        isStopped = true;
        await idle();
        return mark();
      },
      pace: async () => {
        const result = await paced(settings, () => send(1));
        await idle();
        return result;
      },
      end: async () => {
        await client.close();
        return mark();
      },
    };
  });
}
