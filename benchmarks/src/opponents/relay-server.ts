/** The bare relay: what a publisher sends is queued for every subscriber, confirmed, and handed on within each subscriber's window. */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { partSettings, playPart } from "../part.ts";
import { markNow } from "../questions.ts";
import { AckReader, ackBytes, FrameScanner, helloBytes, role } from "./relay-frames.ts";
import { RelayQueue } from "./relay-queue.ts";

export interface RelayServerSettings {
  /** Most messages sent to a subscriber and not yet acked. */
  readonly window: number;
  /** Most messages held for a subscriber; beyond it the relay stops reading from publishers. */
  readonly queueMax: number;
}

playPart(async () => {
  const settings = partSettings<RelayServerSettings>();
  const queues = new Map<number, RelayQueue>();
  const publishers = new Set<Socket>();
  let isPaused = false;

  /** Publishers wait while any queue is full, and go on when the fullest is half empty. */
  const holdBack = (): void => {
    let fullest = 0;
    for (const queue of queues.values()) fullest = Math.max(fullest, queue.heldFrames);
    const shouldPause = fullest >= (isPaused ? settings.queueMax / 2 : settings.queueMax);
    if (shouldPause === isPaused) return;
    isPaused = shouldPause;
    for (const socket of publishers) isPaused ? socket.pause() : socket.resume();
  };

  const servePublisher = (socket: Socket): ((chunk: Buffer) => void) => {
    publishers.add(socket);
    socket.on("close", () => publishers.delete(socket));
    const scanner = new FrameScanner();
    let cut: Buffer[] = [];
    return (chunk) => {
      const { frames, endOfLast } = scanner.scan(chunk);
      if (frames > 0) {
        const whole = endOfLast === chunk.length ? chunk : chunk.subarray(0, endOfLast);
        const run = { parts: cut.length === 0 ? [whole] : [...cut, whole], frames };
        cut = [];
        for (const queue of queues.values()) queue.add(run);
        socket.write(ackBytes(frames));
        for (const queue of queues.values()) queue.send();
        holdBack();
      }
      if (endOfLast < chunk.length) cut.push(chunk.subarray(endOfLast));
    };
  };

  const serveSubscriber = (socket: Socket, name: number): ((chunk: Buffer) => void) => {
    const queue = queues.get(name) ?? new RelayQueue(settings.window);
    queues.set(name, queue);
    queue.attach(socket);
    socket.on("close", () => queue.detach(socket));
    const acks = new AckReader();
    return (chunk) => {
      queue.ack(acks.read(chunk));
      queue.send();
      holdBack();
    };
  };

  const server = createServer({ noDelay: true }, (socket) => {
    let serve: ((chunk: Buffer) => void) | undefined;
    let hello = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      if (serve !== undefined) return serve(chunk);
      hello = Buffer.concat([hello, chunk]);
      if (hello.length < helloBytes) return;
      serve = hello[0] === role.publisher ? servePublisher(socket) : serveSubscriber(socket, hello[1] ?? 0);
      if (hello.length > helloBytes) serve(hello.subarray(helloBytes));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is never a text: that is what pipes have.
  const { port } = server.address() as AddressInfo;
  return {
    ready: String(port),
    mark: () => markNow(0, 0),
    end: () => {
      server.close();
      return markNow(0, 0);
    },
  };
});
