import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";
import { type FaultProxy, faultProxy } from "../src/fault-proxy.ts";

/** A client that keeps what came back. */
class Client {
  readonly socket: Socket;
  text = "";
  chunks = 0;
  hasEnded = false;
  error: NodeJS.ErrnoException | undefined;
  isClosed = false;

  constructor(where: { port: number; host?: string } | { path: string }) {
    this.socket = connect(where);
    this.socket.on("data", (chunk) => {
      this.text += chunk.toString();
      this.chunks++;
    });
    this.socket.on("end", () => {
      this.hasEnded = true;
    });
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      this.error = error;
    });
    this.socket.on("close", () => {
      this.isClosed = true;
    });
  }
}

const until = async (condition: () => boolean, what: string): Promise<void> => {
  const deadlineMs = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadlineMs, `not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
const pause = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

describe("faultProxy", () => {
  let server: Server;
  let proxy: FaultProxy;
  let heard = "";
  const peers = new Set<Socket>();
  const clients: Client[] = [];
  const open = (): Client => {
    const client = new Client({ port: proxy.port });
    clients.push(client);
    return client;
  };
  const talking = async (): Promise<Client> => {
    const client = open();
    client.socket.write("hello;");
    await until(() => client.text === "hello;", "the echo");
    return client;
  };

  beforeEach(async () => {
    heard = "";
    server = createServer((socket) => {
      peers.add(socket);
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => {
        heard += chunk.toString();
        socket.write(chunk);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    proxy = await faultProxy({ target: { port: (server.address() as AddressInfo).port } });
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.destroy();
    await proxy.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it("passes bytes both ways and counts connections", async () => {
    await talking();
    await talking();
    assert.equal(proxy.connections, 2);
    assert.equal(proxy.accepted, 2);
  });

  it("passes the end of one side on after what still waits", async () => {
    const client = await talking();
    client.socket.end("last");
    await until(() => client.hasEnded, "the end");
    assert.equal(client.text, "hello;last");
    await until(() => proxy.connections === 0, "no connection");
  });

  it("carries ten megabytes unharmed", async () => {
    const client = open();
    const part = "0123456789".repeat(100_000);
    for (let index = 0; index < 10; index++) client.socket.write(part);
    await until(() => client.text.length === 10_000_000, "ten megabytes");
    assert.equal(client.text, part.repeat(10));
  });

  it("cut ends with FIN, without an error, and takes new connections", async () => {
    const client = await talking();
    proxy.cut();
    await until(() => client.isClosed, "the end");
    assert.equal(client.hasEnded, true);
    assert.equal(client.error, undefined);
    await talking();
  });

  it("reset ends with RST and takes new connections", async () => {
    const client = await talking();
    proxy.reset();
    await until(() => client.isClosed, "the end");
    assert.equal(client.error?.code, "ECONNRESET");
    await talking();
  });

  it("stall moves nothing, loses nothing, and holds new connections too", async () => {
    const client = await talking();
    proxy.stall();
    client.socket.write("later");
    const second = open();
    second.socket.write("new");
    await pause(60);
    assert.equal(heard, "hello;");
    proxy.resume();
    await until(() => client.text === "hello;later" && second.text === "new", "what waited");
  });

  it("stall pushes back instead of buffering without bound", async () => {
    const client = await talking();
    proxy.stall();
    client.socket.write(Buffer.alloc(64 * 1024 * 1024));
    await pause(200);
    assert.ok(client.socket.writableLength > 16 * 1024 * 1024, "most of it must still wait at the sender");
    proxy.reset();
    await until(() => client.isClosed, "the end");
  });

  it("half-open swallows and never closes, also where the target dies, and heals only for new connections", async () => {
    const client = await talking();
    proxy.halfOpen();
    client.socket.write("lost");
    const second = open();
    second.socket.write("lost too");
    await until(() => proxy.connections === 2, "the second connection");
    for (const peer of peers) peer.destroy();
    await pause(60);
    assert.equal(heard, "hello;");
    assert.equal(client.isClosed || second.isClosed, false);
    proxy.heal();
    client.socket.write("still lost");
    await talking();
    assert.equal(heard, "hello;hello;");
    assert.equal(client.text, "hello;");
  });

  it("latency delays each chunk and keeps the order", async () => {
    const client = await talking();
    proxy.latency(50);
    const startMs = performance.now();
    client.socket.write("a");
    client.socket.write("b");
    await until(() => client.text === "hello;ab", "the late echo");
    assert.ok(performance.now() - startMs >= 99, "50 ms each way");
  });

  it("slice delivers in pieces and keeps the order", async () => {
    const client = await talking();
    proxy.slice(2);
    const text = "abcdefghijklmnopqrstuvwxyz".repeat(4);
    const before = client.chunks;
    client.socket.write(text);
    await until(() => client.text === `hello;${text}`, "all pieces");
    assert.ok(client.chunks - before > 4, `${client.chunks - before} pieces`);
  });

  it("loseReplies lets the request arrive, drops the reply, then resets", async () => {
    const client = await talking();
    proxy.loseReplies();
    client.socket.write("request");
    await until(() => client.isClosed, "the reset");
    assert.equal(heard, "hello;request");
    assert.equal(client.text, "hello;");
    await talking();
  });

  it("refuse resets new connections only, accept takes them again", async () => {
    const client = await talking();
    proxy.refuse();
    const second = open();
    await until(() => second.isClosed, "the refusal");
    client.socket.write("on");
    await until(() => client.text === "hello;on", "the old connection goes on");
    proxy.accept();
    await talking();
  });

  it("resets clients where the target does not listen", async () => {
    const lonely = await faultProxy({ target: { port: 1 } });
    const client = new Client({ port: lonely.port });
    clients.push(client);
    await until(() => client.isClosed, "the end");
    await lonely.close();
  });

  it("works between Unix sockets", async () => {
    const folder = await mkdtemp(join(tmpdir(), "halyard-proxy-"));
    const echo = createServer((socket) => socket.pipe(socket));
    echo.listen(join(folder, "echo.sock"));
    await once(echo, "listening");
    const local = await faultProxy({ target: { path: join(folder, "echo.sock") }, path: join(folder, "proxy.sock") });
    const client = new Client({ path: join(folder, "proxy.sock") });
    client.socket.write("hello;");
    await until(() => client.text === "hello;", "the echo");
    local.reset();
    await until(() => client.isClosed, "the end");
    await local.close();
    await new Promise((resolve) => echo.close(resolve));
    await rm(folder, { recursive: true });
  });
});
