import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BackendSubscription, parsePattern, type Session } from "@halyard/core/spi";
import { afterEach } from "vitest";
import { type EmbeddedOptions, embedded } from "../../src/embedded.ts";
import { ByteReader } from "../../src/protocol/byte-reader.ts";
import { FrameReader } from "../../src/protocol/frame-reader.ts";
import { ChunkPool, FrameWriter } from "../../src/protocol/frame-writer.ts";
import { fromServer } from "../../src/protocol/frames.ts";
import { writeHello } from "../../src/protocol/greeting.ts";
import type { EmbeddedServerOptions } from "../../src/server/options.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../src/server/server.ts";
import { never, testHost } from "./host.ts";

const opened: (() => unknown)[] = [];

/** Whatever a test opened through this file is closed after it, last first. */
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

export function afterwards(close: () => unknown): void {
  opened.push(close);
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "hal-"));
  afterwards(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function testServer(options: EmbeddedServerOptions = {}): Promise<EmbeddedServer & { readonly port: number }> {
  const server = await startEmbeddedServer(options.socketPath === undefined ? { port: 0, ...options } : options);
  afterwards(() => server.close());
  return Object.assign(server, { port: server.address?.port ?? 0 });
}

export async function testSession(port: number, options: EmbeddedOptions = {}, host = testHost()): Promise<Session> {
  const session = await embedded({ port, autoStart: false, ...options }).connect(host, never);
  afterwards(() => session.close());
  return session;
}

export async function groupOf(session: Session, name: string, inFlightMax = 16): Promise<BackendSubscription> {
  const request = { patterns: [parsePattern("#")], inFlightMax, group: { name, from: "new" as const, exclusive: false } };
  const subscription = await session.subscribe(request, never);
  subscription.credit(inFlightMax);
  return subscription;
}

/** A client that may send anything. */
export interface RawClient {
  readonly socket: Socket;
  readonly writer: FrameWriter;
  /** Frames that came, in order. */
  readonly frames: { readonly type: number; readonly bytes: Buffer }[];
  readonly isClosed: () => boolean;
  /** The error that the server gave before it hung up. */
  readonly fatal: () => { readonly code: string; readonly message: string } | undefined;
}

export function rawClient(port: number): RawClient {
  const socket = connectTcp({ port, host: "127.0.0.1" });
  const frames: { type: number; bytes: Buffer }[] = [];
  const reader = new FrameReader(2 ** 30, (type, bytes, start, end) => {
    frames.push({ type, bytes: Buffer.from(bytes.subarray(start, end)) });
    return true;
  });
  let isClosed = false;
  socket.on("data", (chunk) => reader.push(chunk));
  socket.on("error", () => undefined);
  socket.on("close", () => {
    isClosed = true;
  });
  afterwards(() => socket.destroy());
  const writer = new FrameWriter(new ChunkPool(), (chunk, onWritten) => {
    socket.write(chunk, onWritten);
  });
  const fatal = () => {
    const frame = frames.find((candidate) => candidate.type === fromServer.fatal);
    return frame === undefined ? undefined : (new ByteReader(frame.bytes, 0, frame.bytes.length).json() as { code: string; message: string });
  };
  return { socket, writer, frames, isClosed: () => isClosed, fatal };
}

let rawClients = 0;

export function sayHello(client: RawClient, token = ""): void {
  writeHello(client.writer, { token, namespace: "halyard", clientName: `raw-${++rawClients}`, heartbeatMs: 60_000 });
}
