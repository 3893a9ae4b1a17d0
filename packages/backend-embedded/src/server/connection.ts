/** One client as the server sees it: says hello within its time, is checked, gets a session of the backend, and leaves. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { type Backend, HalyardError, type Host, type Session } from "@halyard/core/spi";
import type { ChunkPool } from "../protocol/frame-writer.ts";
import { fromClient, fromServer, helloBytesMax } from "../protocol/frames.ts";
import { type Hello, readHello, writeWelcome } from "../protocol/greeting.ts";
import { Link } from "../protocol/link.ts";
import { violation } from "../protocol/violation.ts";
import { toWireError } from "../protocol/wire-error.ts";
import type { ServerSettings } from "./options.ts";
import { ServedSession } from "./served-session.ts";

/** Room in a frame beside the body of its message: headers of 32 KiB, what a dead letter adds to them, fields. */
const aroundBodyBytes = 128 * 1024;

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly pool: ChunkPool;
  readonly backend: Backend;
  readonly settings: ServerSettings;
  readonly random: () => number;
  /** The client was let in. */
  readonly onOpen: (connection: Connection) => void;
  /** The connection is over and all that it held has been given back. */
  readonly onEnd: (connection: Connection) => void;
}

export class Connection {
  namespace = "";
  clientName = "";
  readonly #options: ConnectionOptions;
  readonly #link: Link;
  readonly #ended = new AbortController();
  readonly #cancelHello: () => void;
  #state: "hello" | "opening" | "open" | "closing" = "hello";
  #served: ServedSession | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { socket, pool, settings } = options;
    this.#link = new Link({
      socket,
      pool,
      clock: settings.clock,
      frameBytesMax: helloBytesMax,
      onFrame: (type, bytes, start, end) => this.#onFrame(type, bytes, start, end),
      onEnd: () => this.#onEnd(),
    });
    this.#cancelHello = settings.clock.after(settings.helloTimeoutMs, () => this.end(new HalyardError("TIMEOUT", "No hello came in time.")));
  }

  get subscriptions(): number {
    return this.#served?.subscriptions ?? 0;
  }

  /** Requests that wait for the backend. */
  get openRequests(): number {
    return this.#served?.openRequests ?? 0;
  }

  /** Says why, where the client still listens, gives back what it held, and ends. */
  end(error: unknown): void {
    if (this.#link.isOver || this.#state === "closing") return;
    this.#state = "closing";
    this.#cancelHello();
    const { writer } = this.#link;
    writer.cancel(); // what was being written when it went wrong
    writer.begin(fromServer.fatal);
    writer.json(toWireError(error));
    writer.end();
    this.#link.end();
    void this.#giveBack();
  }

  destroy(): void {
    this.#link.destroy(undefined);
  }

  #onFrame(type: number, bytes: Buffer, start: number, end: number): boolean {
    try {
      if (this.#state === "open" && type === fromClient.bye) this.#leave();
      else if (this.#state === "open") this.#served?.onFrame(type, bytes, start, end);
      else if (this.#state === "hello" && type === fromClient.hello) this.#greet(readHello(bytes, start, end));
      else if (this.#state !== "closing") throw violation("a frame before the welcome that is no hello");
    } catch (error) {
      this.end(error);
    }
    return this.#state !== "closing";
  }

  #greet(hello: Hello): void {
    const { settings, backend, random } = this.#options;
    if (!isSameToken(settings.token, hello.token)) {
      throw new HalyardError("AUTH_FAILED", "The embedded server did not accept the token: give the option token the value that the server was started with.");
    }
    this.#cancelHello();
    this.#state = "opening";
    this.namespace = hello.namespace;
    this.clientName = hello.clientName;
    const { namespace, clientName } = hello;
    const host: Host = { namespace, clientName, clock: settings.clock, random, report: (event) => this.#served?.report(event) };
    backend.connect(host, this.#ended.signal).then(
      (session) => this.#open(session, hello.heartbeatMs),
      (error: unknown) => this.end(error),
    );
  }

  #open(session: Session, heartbeatMs: number): void {
    if (this.#state !== "opening") {
      void session.close().catch(() => undefined); // the client left while the backend connected
      return;
    }
    const { settings } = this.#options;
    this.#state = "open";
    this.#options.onOpen(this);
    this.#served = new ServedSession(session, this.#link, settings);
    this.#link.reader.frameBytesMax = settings.frameBytesMax;
    this.#link.startHeartbeat(heartbeatMs);
    const { capabilities, history } = session;
    const bodyBytesMax = Math.min(capabilities.bodyBytesMax, settings.frameBytesMax - aroundBodyBytes);
    writeWelcome(this.#link.writer, {
      capabilities: { ...capabilities, carriesValues: false, bodyBytesMax },
      frameBytesMax: settings.frameBytesMax,
      hasHistory: history !== undefined,
      hasHistoryById: history?.byId !== undefined,
    });
    void session.closed.then((error) => this.end(error ?? new HalyardError("CONNECTION_LOST", "The backend of the embedded server ended the session.")));
  }

  /** The client says goodbye: once everything has gone back it hears the same. */
  #leave(): void {
    this.#state = "closing";
    void this.#giveBack().then(() => {
      this.#link.writer.begin(fromServer.bye);
      this.#link.writer.end();
      this.#link.end();
    });
  }

  #onEnd(): void {
    this.#state = "closing";
    this.#cancelHello();
    void this.#giveBack().then(() => this.#options.onEnd(this));
  }

  async #giveBack(): Promise<void> {
    this.#ended.abort();
    const served = this.#served;
    this.#served = undefined;
    await served?.close().catch(() => undefined); // the connection is over: there is nobody left to tell
  }
}

/** Both sides are hashed first: the time it takes tells nothing about length or content. */
function isSameToken(wanted: string | undefined, given: string): boolean {
  if (wanted === undefined) return true;
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(wanted), hash(given));
}
