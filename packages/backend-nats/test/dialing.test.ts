import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { connect } from "@nats-io/transport-node";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { dial } from "../src/dialing.ts";

/** Accepts connections and says nothing. */
let server: Server;
let port: number;
const sockets = new Set<Socket>();

beforeEach(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo); // it listens on TCP
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, "close");
});

const dialing = (timeout: number) => dial(() => connect({ servers: `127.0.0.1:${port}`, reconnect: false, timeout }));
const open = (): number => sockets.size;

test("an attempt at a server that says nothing leaves no socket behind", async () => {
  await expect(dialing(200).connection).rejects.toThrow();
  await vi.waitFor(() => expect(open()).toBe(0));
});

test("an attempt that is given up closes its socket at once, and no other's", async () => {
  const first = dialing(60_000);
  const second = dialing(60_000);
  await vi.waitFor(() => expect(open()).toBe(2));
  first.giveUp();
  await expect(first.connection).rejects.toThrow();
  await vi.waitFor(() => expect(open()).toBe(1));
  second.giveUp();
  await expect(second.connection).rejects.toThrow();
});
