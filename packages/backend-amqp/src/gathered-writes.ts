/**
 * Fewer writes to a socket. amqplib writes each message and each ack to its socket by itself: one system call each, and the broker reads them one by one.
 * So while a batch is on its way through amqplib the socket is corked, and the batch leaves in one piece, or in a few where the socket has no room for it.
 * Nothing waits for a timer: the socket is open again before the event loop turns.
 *
 * Measured with messages of 256 B, 256 of them outstanding: 0.03 writes a message instead of 1.0, a third less processor time in the publisher and a
 * seventh less in the broker (`amqp-256` of the benchmarks).
 */
import { Writable } from "node:stream";
import type { ChannelModel } from "amqplib";

export class GatheredWrites {
  readonly #socket: Writable | undefined;
  #isGathering = false;

  constructor(model: ChannelModel) {
    // Not in amqplib's types. Without it every message leaves by itself, as amqplib does it.
    const socket: unknown = Reflect.get(model.connection, "stream");
    this.#socket = socket instanceof Writable ? socket : undefined;
  }

  /** To be called when something was written to a channel: amqplib hands it to the socket later. */
  readonly begin = (): void => {
    if (this.#isGathering || this.#socket === undefined) return;
    this.#isGathering = true;
    this.#socket.cork();
    // A channel says in the next tick that it has something, and amqplib passes that on in the `setImmediate` after it: ours comes behind.
    process.nextTick(setImmediate, this.#end);
  };

  readonly #end = (): void => {
    const socket = this.#socket as Writable; // begun
    this.#isGathering = false;
    // What found no room comes with `drain`, and amqplib listens to that already.
    if (socket.writableNeedDrain) socket.prependOnceListener("drain", this.begin);
    socket.uncork();
  };
}
