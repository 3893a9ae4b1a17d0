/**
 * A proxy between a client and a broker that does to the bytes what networks do: cuts, resets, stalls, half-open connections, latency, pieces,
 * lost replies. It knows no protocol, listens on loopback only, and holds a bounded number of bytes per connection.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Link } from "./fault-proxy/link.ts";
import type { Bending } from "./fault-proxy/pipe.ts";

/** Where the broker listens: a TCP port (host default `127.0.0.1`) or a Unix socket. */
export type ProxyTarget = { readonly port: number; readonly host?: string | undefined } | { readonly path: string };

export interface FaultProxyOptions {
  readonly target: ProxyTarget;
  /** A Unix socket to listen on instead of a free TCP port. */
  readonly path?: string;
}

export interface FaultProxy {
  readonly host: string;
  /** 0 where it listens on a Unix socket. */
  readonly port: number;
  /** Connections open now. */
  readonly connections: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Ends all connections with FIN. New ones are accepted. */
  cut(): void;
  /** Ends all connections with RST. New ones are accepted. */
  reset(): void;
  /** Returns what resets the connections that are open now, and none that comes later. */
  resetLater(): () => void;
  /** Nothing moves any more in either direction, on old and new connections, until `resume`; nothing is lost. */
  stall(): void;
  resume(): void;
  /** Old and new connections stay open, but what is sent on them is lost and nothing is ever answered. Those stay so after `heal`: their bytes are gone. */
  halfOpen(): void;
  /** Each chunk arrives that much later, both ways. */
  latency(delayMs: number): void;
  /** Data arrives in pieces of 1 to `pieceBytesMax` (default 3) bytes. */
  slice(pieceBytesMax?: number): void;
  /** On each open connection the next `count` (default 1) replies of the target are dropped, then it is reset: requests arrived, and nobody knows. */
  loseReplies(count?: number): void;
  /** New connections are reset at once; open ones go on. */
  refuse(): void;
  accept(): void;
  /** Ends every fault; connections that are half-open or cut stay lost. */
  heal(): void;
  close(): Promise<void>;
}

/**
 * Starts a proxy on a free port of 127.0.0.1.
 *
 * @example
 * const proxy = await faultProxy({ target: { port: 5672 } });
 * const bus = await createBus({ backend: amqp(`amqp://127.0.0.1:${proxy.port}`) });
 * proxy.reset();
 */
export async function faultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new TcpProxy(options.target);
  await proxy.listen(options.path);
  return proxy;
}

class TcpProxy implements FaultProxy {
  readonly host = "127.0.0.1";
  readonly #target: ProxyTarget;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #bending: Bending = { isStalled: false, latencyMs: 0, pieceBytesMax: 0 };
  #isHalfOpen = false;
  #isRefusing = false;
  #accepted = 0;

  constructor(target: ProxyTarget) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#adopt(client));
  }

  async listen(path: string | undefined): Promise<void> {
    if (path === undefined) this.#server.listen(0, this.host);
    else this.#server.listen(path);
    await once(this.#server, "listening");
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "string" || address === null ? 0 : (address satisfies AddressInfo).port;
  }

  get connections(): number {
    return this.#links.size;
  }

  get accepted(): number {
    return this.#accepted;
  }

  cut(): void {
    for (const link of [...this.#links]) link.cut();
  }

  reset(): void {
    this.resetLater()();
  }

  resetLater(): () => void {
    const links = [...this.#links];
    return () => {
      for (const link of links) link.reset();
    };
  }

  stall(): void {
    this.#bending.isStalled = true;
  }

  resume(): void {
    this.#bending.isStalled = false;
    for (const link of this.#links) link.pump();
  }

  halfOpen(): void {
    this.#isHalfOpen = true;
    for (const link of this.#links) link.swallow();
  }

  latency(delayMs: number): void {
    this.#bending.latencyMs = delayMs;
  }

  slice(pieceBytesMax = 3): void {
    this.#bending.pieceBytesMax = pieceBytesMax;
  }

  loseReplies(count = 1): void {
    for (const link of this.#links) link.loseReplies(count);
  }

  refuse(): void {
    this.#isRefusing = true;
  }

  accept(): void {
    this.#isRefusing = false;
  }

  heal(): void {
    this.#isHalfOpen = false;
    this.#isRefusing = false;
    this.#bending.latencyMs = 0;
    this.#bending.pieceBytesMax = 0;
    this.loseReplies(0);
    this.resume();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.heal();
    this.reset();
    await closed;
  }

  #adopt(client: Socket): void {
    this.#accepted++;
    if (this.#isRefusing) {
      client.on("error", () => undefined); // it may have gone by itself
      if (client.remoteFamily === undefined) client.destroy();
      else client.resetAndDestroy();
      return;
    }
    const target = this.#isHalfOpen ? undefined : connect({ host: this.host, allowHalfOpen: true, ...this.#target });
    const link = new Link(client, target, this.#bending, () => this.#links.delete(link));
    this.#links.add(link);
  }
}
