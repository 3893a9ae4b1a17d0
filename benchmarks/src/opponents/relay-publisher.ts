/** Publishes through the relay: at most `outstanding` unconfirmed, written to one slab and flushed in batches, without a promise a message. */
import { once } from "node:events";
import { connect } from "node:net";
import { paced } from "../pace.ts";
import { partSettings, playPart } from "../part.ts";
import { firstNumber, payloadFactory } from "../payload.ts";
import { markNow } from "../questions.ts";
import { AckReader, headerBytes, role, writeUint32 } from "./relay-frames.ts";

export interface RelayPublisherSettings {
  readonly port: number;
  readonly payloadBytes: number;
  /** Most publishes that are not confirmed. */
  readonly outstanding: number;
  /** Frames that go out in one write: fewer cost more calls, more leave the relay waiting. */
  readonly batch: number;
  /** `none`: the body is bytes made once, with only the number put in. */
  readonly codec: "json" | "none";
  /** Only for `pace`. */
  readonly perSecond: number;
  readonly seconds: number;
}

/** New memory is taken in pieces of this size, and given back by the garbage collector when all of it is sent. */
const slabBytes = 1 << 20;

playPart(async () => {
  const settings = partSettings<RelayPublisherSettings>();
  const { outstanding: outstandingMax, batch, payloadBytes } = settings;
  const payload = payloadFactory(payloadBytes);
  const socket = connect({ port: settings.port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  socket.write(Buffer.from([role.publisher, 0]));

  let slab = Buffer.allocUnsafeSlow(slabBytes);
  let start = 0;
  let end = 0;
  let sent = 0;
  let confirmed = 0;
  let isStopped = true;
  let onIdle: (() => void) | undefined;

  const bare = Buffer.alloc(payloadBytes, 0x20);
  const writeBody: (index: number) => number =
    settings.codec === "json"
      ? (index) => slab.write(JSON.stringify(payload(index)), end + headerBytes, "utf8")
      : (index) => {
          writeUint32(bare, 0, firstNumber + index);
          slab.set(bare, end + headerBytes);
          return payloadBytes;
        };

  const add = (): void => {
    // UTF-8 has at most three bytes for a character of a JavaScript text; the payloads are ASCII.
    if (slabBytes - end < headerBytes + payloadBytes * 3) {
      flush();
      slab = Buffer.allocUnsafeSlow(slabBytes);
      start = end = 0;
    }
    const bytes = writeBody(sent++);
    writeUint32(slab, end, bytes);
    end += headerBytes + bytes;
  };
  const flush = (): void => {
    if (end > start) socket.write(slab.subarray(start, end));
    start = end;
  };
  const fill = (): void => {
    let unflushed = 0;
    while (sent - confirmed < outstandingMax) {
      add();
      if (++unflushed < batch) continue;
      flush();
      unflushed = 0;
    }
    flush();
  };

  const acks = new AckReader();
  socket.on("data", (chunk) => {
    confirmed += acks.read(chunk);
    if (!isStopped) fill();
    else if (confirmed === sent) onIdle?.();
  });
  const idle = (): Promise<void> | undefined => (confirmed === sent ? undefined : new Promise((resolve) => (onIdle = resolve)));

  return {
    mark: () => markNow(confirmed, 0),
    go: () => {
      isStopped = false;
      fill();
      return markNow(confirmed, 0);
    },
    stop: async () => {
      isStopped = true;
      await idle();
      return markNow(confirmed, 0);
    },
    pace: async () => {
      const result = await paced({ perSecond: settings.perSecond, seconds: settings.seconds }, () => {
        add();
        flush();
      });
      await idle();
      return result;
    },
    end: () => {
      socket.destroy();
      return markNow(confirmed, 0);
    },
  };
});
