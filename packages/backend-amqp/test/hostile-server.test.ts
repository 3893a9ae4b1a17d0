/** What listens may be anything: its words cost no memory, and no time beyond the deadline. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { type Host, isHalyardError, systemClock } from "@halyard/core/spi";
import { afterEach, describe, it } from "vitest";
import { amqp } from "../src/index.ts";

const host: Host = { namespace: "kit-hostile", clientName: "hostile", clock: systemClock, random: Math.random, report: () => undefined };
const megabyte = Buffer.alloc(1_048_576, 1);
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Answers with `first`, and then sends as much as is taken. Returns its port, and how many bytes went. */
async function flood(first: Buffer): Promise<{ readonly port: number; readonly sent: () => number }> {
  let sent = 0;
  const pour = (socket: Socket): void => {
    while (socket.writable && !socket.destroyed) {
      sent += megabyte.length;
      if (!socket.write(megabyte)) return;
    }
  };
  const server = createServer((socket) => {
    closing.push(() => socket.destroy());
    socket.on("error", () => undefined); // cut off is what it should be
    socket.once("data", () => {
      socket.write(first);
      pour(socket);
    });
    socket.on("drain", () => pour(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => void server.close());
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0, sent: () => sent };
}

describe("a server that is none", () => {
  for (const [what, header] of [
    ["a frame of four gigabytes", [1, 0, 0, 0xff, 0xff, 0xff, 0xff]],
    ["no frame at all", [...Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")]],
  ] as const)
    it(`that sends ${what} is given up in time, and hardly read`, async () => {
      const { port, sent } = await flood(Buffer.from(header));
      const beforeBytes = process.memoryUsage().rss;
      const startMs = performance.now();
      const connecting = amqp({ host: "127.0.0.1", port, connectTimeoutMs: 3_000 }).connect(host, new AbortController().signal);
      await assert.rejects(connecting, (error) => isHalyardError(error, "PROTOCOL_ERROR") || isHalyardError(error, "CONNECT_FAILED"));
      assert.ok(performance.now() - startMs < 5_000, "it took its time");
      const takenBytes = sent();
      assert.ok(takenBytes < 64 * megabyte.length, `${takenBytes} bytes were taken`);
      assert.ok(process.memoryUsage().rss - beforeBytes < 128 * megabyte.length, "the process grew");
    });
});
