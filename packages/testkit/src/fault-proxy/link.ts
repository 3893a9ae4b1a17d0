/** One proxied connection: the client's socket, the one to the target, and a pipe each way. */
import type { Socket } from "node:net";
import { type Bending, Pipe } from "./pipe.ts";

/** A peer that does not answer our FIN within this time is torn down. */
const lingerMs = 1_000;

export class Link {
  readonly #client: Socket;
  readonly #target: Socket | undefined;
  readonly #requests: Pipe | undefined;
  readonly #replies: Pipe | undefined;
  #isSwallowing: boolean;
  #repliesToLose = 0;
  #isOver = false;

  /** Without a target everything that the client sends is swallowed. */
  constructor(client: Socket, target: Socket | undefined, bending: Bending, onClosed: () => void) {
    this.#client = client;
    this.#target = target;
    this.#isSwallowing = target === undefined;
    client.setNoDelay(true);
    client.on("error", () => this.#destroy());
    client.on("close", () => {
      this.#destroy();
      onClosed();
    });
    if (target === undefined) {
      client.resume();
      client.on("end", () => client.end());
      return;
    }
    this.#requests = new Pipe(client, target, bending);
    this.#replies = new Pipe(target, client, bending);
    target.setNoDelay(true);
    // A half-open link outlives its target: that is the fault.
    target.on("error", () => this.#isSwallowing || this.#destroy());
    target.on("close", () => this.#isSwallowing || this.#replies?.end());
    client.on("data", (chunk: Buffer) => this.#isSwallowing || this.#isOver || this.#requests?.take(chunk));
    client.on("end", () => (this.#isSwallowing ? this.#destroy() : this.#requests?.end()));
    target.on("data", (chunk: Buffer) => this.#reply(chunk));
    target.on("end", () => this.#isSwallowing || this.#replies?.end());
  }

  #reply(chunk: Buffer): void {
    if (this.#isSwallowing || this.#isOver) return;
    if (this.#repliesToLose === 0) {
      this.#replies?.take(chunk);
      return;
    }
    this.#repliesToLose--;
    if (this.#repliesToLose === 0) this.reset();
  }

  /** Says FIN to both sides; what was on its way is gone. */
  cut(): void {
    this.#isOver = true;
    this.#drop();
    this.#client.end();
    this.#target?.end();
    setTimeout(() => this.#destroy(), lingerMs).unref();
  }

  /** Says RST to both sides (Unix sockets know no RST: they are closed). */
  reset(): void {
    this.#isOver = true;
    this.#drop();
    for (const socket of [this.#client, this.#target]) {
      if (socket === undefined || socket.destroyed) continue;
      // Only TCP has an address family, and only TCP can be reset.
      if (socket.remoteFamily === undefined) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  swallow(): void {
    this.#isSwallowing = true;
    this.#drop();
  }

  loseReplies(count: number): void {
    this.#repliesToLose = count;
  }

  pump(): void {
    this.#requests?.pump();
    this.#replies?.pump();
  }

  #drop(): void {
    this.#requests?.drop();
    this.#replies?.drop();
  }

  #destroy(): void {
    this.#isOver = true;
    this.#client.destroy();
    this.#target?.destroy();
  }
}
