/** Reads one queue of the relay, decodes and handles every message, and acks after each read what it handled. */
import { once } from "node:events";
import { connect } from "node:net";
import { partSettings, playPart } from "../part.ts";
import type { Payload } from "../payload.ts";
import { markNow } from "../questions.ts";
import { Receiver } from "../receiver.ts";
import { ackBytes, headerBytes, readUint32, role } from "./relay-frames.ts";

export interface RelayConsumerSettings {
  readonly port: number;
  readonly codec: "json" | "none";
  /** Whether to note when each message came. */
  readonly isTimed: boolean;
}

/** One buffer for all reads: nothing of it is kept after a read is handled. */
const readBytes = 1 << 18;

playPart(async () => {
  const settings = partSettings<RelayConsumerSettings>();
  const receiver = new Receiver(settings.isTimed);
  const handle: (bytes: Buffer, start: number, end: number) => void =
    settings.codec === "json"
      ? // What was written by the publisher of the same run.
        (bytes, start, end) => receiver.handle((JSON.parse(bytes.toString("utf8", start, end)) as Payload).n)
      : (bytes, start) => receiver.handle(readUint32(bytes, start));

  /** The begun frame of the last read. */
  let rest: Buffer = Buffer.alloc(0);
  /** Frames handled since the last ack, repeats included. */
  let unacked = 0;
  const handleFrames = (bytes: Buffer): number => {
    let at = 0;
    while (bytes.length - at >= headerBytes) {
      const end = at + headerBytes + readUint32(bytes, at);
      if (end > bytes.length) break;
      handle(bytes, at + headerBytes, end);
      unacked++;
      at = end;
    }
    return at;
  };
  const onRead = (length: number, buffer: Uint8Array): boolean => {
    let bytes = Buffer.from(buffer.buffer, buffer.byteOffset, length);
    if (rest.length > 0) bytes = completeRest(bytes);
    rest = Buffer.from(bytes.subarray(handleFrames(bytes)));
    if (unacked > 0) socket.write(ackBytes(unacked));
    unacked = 0;
    return true;
  };
  /** Handles the frame that was cut, and returns what comes after it; the whole read is only copied where even that is cut again. */
  const completeRest = (bytes: Buffer): Buffer => {
    const header = rest.length >= headerBytes ? rest : Buffer.concat([rest, bytes.subarray(0, headerBytes - rest.length)]);
    if (header.length < headerBytes) return Buffer.concat([rest, bytes]);
    const missing = headerBytes + readUint32(header, 0) - rest.length;
    if (missing < 0 || missing > bytes.length) return Buffer.concat([rest, bytes]);
    handleFrames(Buffer.concat([rest, bytes.subarray(0, missing)]));
    return bytes.subarray(missing);
  };

  const socket = connect({ port: settings.port, host: "127.0.0.1", noDelay: true, onread: { buffer: Buffer.allocUnsafeSlow(readBytes), callback: onRead } });
  await once(socket, "connect");
  socket.write(Buffer.from([role.subscriber, 1]));

  return {
    mark: () => markNow(0, receiver.handled),
    // An ack is written in the turn in which the message was handled, so nothing is left to flush.
    finish: () => receiver.totals(),
    arrivals: () => receiver.arrivalsMs,
    end: () => {
      socket.destroy();
      return markNow(0, receiver.handled);
    },
  };
});
