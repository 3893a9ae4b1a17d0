/**
 * One connection as both sides see it: frames in, frames out, a heartbeat, and a bound on what waits to be sent.
 *
 * The peer is dead when nothing came from it during three beats in a row. Beats are counted, not measured: a process that was stopped, suspended or
 * busy for a minute finds one late beat when it goes on, reads what has come meanwhile, and stays connected.
 */
import type { Socket } from "node:net";
import type { Clock } from "@halyard/core/spi";
import { HalyardError } from "@halyard/core/spi";
import { FrameReader, type OnFrame } from "./frame-reader.ts";
import { type ChunkPool, FrameWriter } from "./frame-writer.ts";
import { heartbeat } from "./frames.ts";

/** Above this much unsent, `isFull` says so. */
export const unsentBytesMax = 1024 * 1024;
const missedBeatsMax = 3;
/** How long a polite end waits for the peer to take the last bytes. */
const endTimeoutMs = 2_000;

export interface LinkOptions {
  readonly socket: Socket;
  readonly clock: Clock;
  readonly pool: ChunkPool;
  readonly frameBytesMax: number;
  /** Called for every frame but heartbeats. What it throws ends the link and goes to `onEnd`. */
  readonly onFrame: OnFrame;
  /** Called once, when nothing more will come: with the error where there was one. */
  readonly onEnd: (error: Error | undefined) => void;
}

export class Link {
  readonly writer: FrameWriter;
  readonly reader: FrameReader;
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  #waitingForRoom: (() => void)[] = [];
  #cancelBeat: () => void = () => undefined;
  #cancelEnd: () => void = () => undefined;
  #isOver = false;
  #isReading = true;
  #hasReceived = false;
  #missedBeats = 0;
  #framesAtBeat = 0;
  #sentAtBeat = 0;

  constructor(options: LinkOptions) {
    const { socket, pool } = options;
    this.#options = options;
    this.#socket = socket;
    this.writer = new FrameWriter(pool, (chunk, onWritten) => {
      socket.write(chunk, onWritten);
    });
    this.reader = new FrameReader(options.frameBytesMax, (type, bytes, start, end) => {
      if (type !== heartbeat) return options.onFrame(type, bytes, start, end) && !this.#isOver;
      return !this.#isOver;
    });
    socket.setNoDelay(true);
    socket.on("data", this.#onData);
    socket.on("drain", this.#onDrain);
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy(undefined));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** More is unsent than a peer that reads would leave; whoever can wait, waits. */
  get isFull(): boolean {
    // A socket that was destroyed keeps counting what it did not send: who waited for that would wait for ever.
    if (this.#isOver) return false;
    if (this.writer.pendingBytes + this.#socket.writableLength <= unsentBytesMax) return false;
    this.writer.flush();
    return this.#socket.writableLength > unsentBytesMax;
  }

  /** Resolves when the peer has taken what was unsent, or the link is over. */
  drained(): Promise<void> {
    if (this.#isOver || !this.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForRoom.push(resolve));
  }

  /** Takes nothing more from the peer for now: it is held back by its own socket. */
  pause(): void {
    if (!this.#isReading) return;
    this.#isReading = false;
    this.#socket.pause();
  }

  resume(): void {
    if (this.#isReading || this.#isOver) return;
    this.#isReading = true;
    this.#socket.resume();
  }

  /** Says something at every beat, and ends with `CONNECTION_LOST` when the peer does not. */
  startHeartbeat(beatMs: number): void {
    const beat = (): void => {
      this.#beat();
      if (!this.#isOver) this.#cancelBeat = this.#options.clock.after(beatMs, beat);
    };
    this.#cancelBeat = this.#options.clock.after(beatMs, beat);
  }

  /** Sends what is written and then ends. A peer that does not take it within two seconds is cut off. */
  end(): void {
    if (this.#isOver) return;
    this.#cancelBeat();
    this.writer.flush();
    this.writer.close();
    this.#socket.end();
    this.#cancelEnd = this.#options.clock.after(endTimeoutMs, () => this.destroy(undefined));
  }

  /** Ends now; what is unsent is dropped. Idempotent. */
  destroy(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelBeat();
    this.#cancelEnd();
    this.writer.close();
    this.#socket.destroy();
    for (const resolve of this.#waitingForRoom.splice(0)) resolve();
    this.#options.onEnd(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#hasReceived = true;
    try {
      this.reader.push(chunk);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  };

  readonly #onDrain = (): void => {
    for (const resolve of this.#waitingForRoom.splice(0)) resolve();
  };

  #beat(): void {
    const sentBytes = this.#socket.bytesWritten - this.#socket.writableLength;
    // While we do not read, only progress in the other direction can show that the peer lives.
    const isAlive = this.#hasReceived || (!this.#isReading && (this.#socket.writableLength === 0 || sentBytes > this.#sentAtBeat));
    this.#sentAtBeat = sentBytes;
    this.#missedBeats = isAlive ? 0 : this.#missedBeats + 1;
    this.#hasReceived = false;
    if (this.#missedBeats >= missedBeatsMax) {
      this.destroy(
        new HalyardError("CONNECTION_LOST", `Nothing was heard from the other side for ${missedBeatsMax} heartbeats; the connection is taken for dead.`),
      );
      return;
    }
    const { writer } = this;
    if (writer.frames === this.#framesAtBeat && this.#socket.writableLength === 0) {
      writer.begin(heartbeat);
      writer.end();
    }
    this.#framesAtBeat = writer.frames;
  }
}
