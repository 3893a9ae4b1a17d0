import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { memory } from "@halyard/backend-memory";
import { type Backend, systemClock } from "@halyard/core/spi";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromClient, fromServer, heartbeat } from "../../src/protocol/frames.ts";
import { writeHello } from "../../src/protocol/greeting.ts";
import { writeMessages } from "../../src/protocol/message-writer.ts";
import { never, until, wire } from "../support/host.ts";
import { groupOf, type RawClient, rawClient, sayHello, testServer, testSession } from "../support/servers.ts";

const mebibyte = 1024 * 1024;

/** Buffers that are held: what is only waiting to be collected, which Node does on request with this flag only, does not count. */
function arrayBufferBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().arrayBuffers;
}

async function welcomed(port: number): Promise<RawClient> {
  const client = rawClient(port);
  sayHello(client);
  await until("the welcome comes", () => client.frames.some((frame) => frame.type === fromServer.welcome));
  return client;
}

/** The server is well: somebody else's message goes round. */
async function expectAlive(port: number): Promise<void> {
  const session = await testSession(port);
  expect(await session.publish([wire({ id: randomBytes(8).toString("hex") })], { signal: never })).toBeUndefined();
  await session.admin.ping(never);
}

describe("a hostile client", () => {
  test("that speaks something else is told so and cut off", async () => {
    const { port } = await testServer();
    for (const text of ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\0\0\0\0", "\0\0\0\x05\x01ABCD", "\0\0\0\x02\x08\x08"]) {
      const client = rawClient(port);
      client.socket.write(text);
      await until(`it is cut off after ${JSON.stringify(text)}`, client.isClosed);
    }
    await expectAlive(port);
  });

  test("with a version that the server does not speak hears about it", async () => {
    const { port } = await testServer();
    const client = rawClient(port);
    client.writer.begin(fromClient.hello);
    client.writer.u32(0x484c5944);
    client.writer.u8(99);
    client.writer.end();
    await until("it is cut off", client.isClosed);
    expect(client.fatal()).toMatchObject({ code: "PROTOCOL_ERROR", message: expect.stringContaining("version 99") });
  });

  test("that announces four gigabytes on each of many connections costs next to no memory", async () => {
    const server = await testServer({ connectionsMax: 2_000 });
    const before = process.memoryUsage();
    const clients: RawClient[] = [];
    for (let index = 0; index < 300; index++) {
      const client = rawClient(server.port);
      client.socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1]));
      clients.push(client);
    }
    await until("all are cut off", () => clients.every((client) => client.isClosed()));
    expect(arrayBufferBytes() - before.arrayBuffers).toBeLessThan(32 * mebibyte);
    await expectAlive(server.port);
  });

  test("before its hello can make the server hold 64 KiB and no more", async () => {
    const { port } = await testServer();
    const client = rawClient(port);
    const header = Buffer.alloc(5);
    header.writeUInt32BE(64 * 1024 + 1);
    client.socket.write(header);
    await until("it is cut off by the header alone", client.isClosed);
  });

  test("that says nothing, or one byte at a time, is cut off when its time is over, and does not keep others out", async () => {
    const server = await testServer({ helloTimeoutMs: 300 });
    const slow = Array.from({ length: 200 }, () => rawClient(server.port));
    const hello = [0, 0, 0, 30, 1, 0x48];
    let sent = 0;
    const drip = (): void => {
      for (const client of slow) if (!client.isClosed()) client.socket.write(Buffer.from([hello[sent % hello.length] ?? 0]));
      if (++sent < 6) systemClock.after(40, drip);
    };
    drip();
    await expectAlive(server.port);
    await until("all are cut off", () => slow.every((client) => client.isClosed()));
    await until("only the living are counted", () => server.stats().connections === server.stats().clients);
  });

  test("beyond the number of connections is turned away, and there is room again when others leave", async () => {
    const server = await testServer({ connectionsMax: 3 });
    const clients = [await welcomed(server.port), await welcomed(server.port), await welcomed(server.port)];
    const fourth = rawClient(server.port);
    await until("the fourth is turned away", fourth.isClosed);
    clients[0]?.socket.destroy();
    await until("there is room", () => server.stats().connections === 2);
    await welcomed(server.port);
  });

  test("that sends broken frames after the welcome is cut off with an error, and nobody else notices", async () => {
    const { port } = await testServer();
    const bystander = await testSession(port);
    const breaks: ((client: RawClient) => void)[] = [
      ({ writer }) => {
        writer.begin(99);
        writer.end();
      },
      ({ writer }) => {
        writer.begin(fromClient.publish);
        writer.end();
      },
      ({ writer }) => {
        writer.begin(fromClient.publish);
        writer.u32(1);
        writer.u8(0);
        writer.u32(1_000_000);
        writer.end();
      },
      ({ writer }) => {
        writer.begin(fromClient.publish);
        writer.u32(1);
        writer.u8(0);
        writer.u32(1);
        writeMessages(writer, [wire({ topic: "no spaces allowed" })]);
        writer.end();
      },
      ({ writer }) => {
        writer.begin(fromClient.publish);
        writer.u32(1);
        writer.u8(0);
        writer.u32(1);
        writeMessages(writer, [wire(), wire()]);
        writer.end();
      },
      ({ writer }) => {
        writer.begin(fromClient.subscribe);
        writer.u32(1);
        writer.json({ subscription: 1, inFlightMax: 1e9, patterns: ["#"] });
        writer.end();
      },
      ({ writer }) => {
        writer.begin(fromClient.call);
        writer.u32(1);
        writer.u8(11);
        writer.json("not an object");
        writer.end();
      },
      ({ writer }) => writeHello(writer, { token: "", namespace: "halyard", clientName: "again", heartbeatMs: 100 }),
    ];
    for (const [index, broken] of breaks.entries()) {
      const client = await welcomed(port);
      broken(client);
      await until(`break ${index} ends the connection`, client.isClosed);
      expect(client.fatal()?.code, `break ${index}`).toBe("PROTOCOL_ERROR");
    }
    await bystander.admin.ping(never);
    await expectAlive(port);
  });

  test("that sends noise of any kind ends itself or is answered, and the server lives", async () => {
    const server = await testServer();
    const noise = fc.array(fc.tuple(fc.constantFrom(...Object.values(fromClient), heartbeat, 200), fc.uint8Array({ maxLength: 120 })), {
      minLength: 1,
      maxLength: 20,
    });
    const bystander = await testSession(server.port);
    await fc.assert(
      fc.asyncProperty(noise, async (frames) => {
        const client = await welcomed(server.port);
        for (const [type, bytes] of frames) {
          client.writer.begin(type);
          client.writer.raw(bytes, 0, bytes.length);
          client.writer.end();
        }
        client.writer.flush();
        client.socket.end();
        await until("the connection ends", client.isClosed);
      }),
      { numRuns: 60 },
    );
    await bystander.admin.ping(never);
    await until("all are forgotten", () => server.stats().connections === 1);
  });

  test("that asks and never reads is not read any more, and costs a bounded amount of memory", async () => {
    const server = await testServer();
    const publisher = await testSession(server.port);
    const bodies = Array.from({ length: 20 }, (_, index) => wire({ id: `h-${index}`, body: randomBytes(200_000) }));
    await publisher.publish(bodies, { signal: never });
    const client = await welcomed(server.port);
    client.socket.pause();
    const before = arrayBufferBytes();
    for (let id = 1; id <= 500; id++) {
      client.writer.begin(fromClient.call);
      client.writer.u32(id);
      client.writer.u8(12);
      client.writer.json({ patterns: ["#"], from: "start", limit: 20 });
      client.writer.end();
    }
    await new Promise<void>((resolve) => systemClock.after(300, resolve));
    // 500 answers of 4 MB would be 2 GB.
    expect(arrayBufferBytes() - before).toBeLessThan(64 * mebibyte);
    await expectAlive(server.port);
  });

  test("that subscribes and never reads stalls nobody, and what it does not take stays countable in its group", async () => {
    const server = await testServer();
    const publisher = await testSession(server.port);
    const fast = await groupOf(await testSession(server.port), "fast", 64);
    const stuck = await welcomed(server.port);
    stuck.writer.begin(fromClient.subscribe);
    stuck.writer.u32(1);
    stuck.writer.json({ subscription: 1, inFlightMax: 1_000_000, patterns: ["#"], group: { name: "stuck", from: "new", exclusive: false } });
    stuck.writer.end();
    await until("it is subscribed", () => stuck.frames.some((frame) => frame.type === fromServer.answer));
    stuck.writer.begin(fromClient.credit);
    stuck.writer.u32(1);
    stuck.writer.u32(1_000_000);
    stuck.writer.end();
    stuck.socket.pause();
    const before = arrayBufferBytes();
    let received = 0;
    for (let batch = 0; batch < 40; batch++) {
      const messages = Array.from({ length: 50 }, (_, index) => wire({ id: `m-${batch}-${index}`, body: Buffer.alloc(20_000) }));
      await publisher.publish(messages, { signal: never });
      while (received < (batch + 1) * 50) {
        const deliveries = await fast.receive(64, never);
        received += deliveries.length;
        await fast.settle(deliveries.map(({ receipt }) => ({ receipt, outcome: { type: "ack" } })));
      }
    }
    // 40 MB wait for the stuck one and 16 MiB for history, all held once; this process has the clients as well. Its socket may hold little on top.
    expect(arrayBufferBytes() - before).toBeLessThan(40 * mebibyte + 40 * mebibyte);
    const info = await publisher.admin.group("stuck", never);
    expect((info?.waiting ?? 0) + (info?.inFlight ?? 0)).toBe(2_000);
  });

  test("that floods with publishes is held back by its own socket while others are served at once", async () => {
    const server = await testServer({ requestsMax: 4 });
    const flood = await welcomed(server.port);
    for (let id = 1; id <= 3_000; id++) {
      flood.writer.begin(fromClient.publish);
      flood.writer.u32(id);
      flood.writer.u8(0);
      flood.writer.u32(10);
      writeMessages(
        flood.writer,
        Array.from({ length: 10 }, (_, index) => wire({ id: `f-${id}-${index}`, body: Buffer.alloc(1_000) })),
      );
      flood.writer.end();
    }
    const session = await testSession(server.port);
    const startMs = systemClock.monotonicMs();
    await session.admin.ping(never);
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(1_000);
    const answered = (): number => flood.frames.filter((frame) => frame.type === fromServer.done).reduce((sum, frame) => sum + frame.bytes.length / 4, 0);
    await until("every one of them is answered in the end", () => answered() === 3_000);
  });

  test("that asks for more than the backend answers is not read any more, so that what is open stays bounded", async () => {
    const open: ((statuses: undefined) => void)[] = [];
    const slow: Backend = {
      specVersion: 1,
      name: "slow",
      async connect(host, signal) {
        const session = await memory().connect(host, signal);
        return {
          capabilities: session.capabilities,
          closed: session.closed,
          deadLetters: session.deadLetters,
          admin: session.admin,
          publish: () => new Promise((resolve) => void open.push(resolve)),
          subscribe: (request, ended) => session.subscribe(request, ended),
          close: () => session.close(),
        };
      },
    };
    const server = await testServer({ backend: slow, requestsMax: 10 });
    const client = await welcomed(server.port);
    for (let id = 1; id <= 1_000; id++) {
      client.writer.begin(fromClient.publish);
      client.writer.u32(id);
      client.writer.u8(0);
      client.writer.u32(1);
      writeMessages(client.writer, [wire({ id: `o-${id}`, body: Buffer.alloc(100_000) })]);
      client.writer.end();
    }
    await until("some are open", () => open.length >= 10);
    await new Promise<void>((resolve) => systemClock.after(200, resolve));
    // What one chunk of the socket held after the tenth may still have been read.
    expect(open.length).toBeLessThan(20);
    await until("all go on when they are answered", () => {
      for (const resolve of open.splice(0)) resolve(undefined);
      return client.frames.filter((frame) => frame.type === fromServer.done).reduce((sum, frame) => sum + frame.bytes.length / 4, 0) === 1_000;
    });
  });

  test("that goes in the middle of a frame, a walk or a subscription leaves nothing behind", async () => {
    const server = await testServer();
    const session = await testSession(server.port);
    await session.publish([wire()], { signal: never, target: { deadLetters: "workers" } });
    const client = await welcomed(server.port);
    client.writer.begin(fromClient.call);
    client.writer.u32(1);
    client.writer.u8(11);
    client.writer.json({ group: "workers", pageMax: 10 });
    client.writer.end();
    await until("the page is shown", () => client.frames.some((frame) => frame.type === fromServer.page));
    client.socket.write(Buffer.from([0, 0, 200, 0, 2, 1, 1]));
    client.socket.resetAndDestroy();
    await until("it is forgotten", () => server.stats().connections === 1);
    let seen = 0;
    await session.deadLetters.walk("workers", { pageMax: 10, signal: never }, async (page) => {
      seen += page.length;
      return "stop";
    });
    expect(seen).toBe(1);
  });

  test("that is stopped is taken for dead after three heartbeats, and what it held comes back", async () => {
    const server = await testServer();
    const session = await testSession(server.port);
    const client = rawClient(server.port);
    writeHello(client.writer, { token: "", namespace: "halyard", clientName: "stopped", heartbeatMs: 50 });
    await until("the welcome comes", () => client.frames.some((frame) => frame.type === fromServer.welcome));
    client.writer.begin(fromClient.subscribe);
    client.writer.u32(1);
    client.writer.json({ subscription: 1, inFlightMax: 10, patterns: ["#"], group: { name: "workers", from: "new", exclusive: false } });
    client.writer.end();
    await until("it is subscribed", () => client.frames.some((frame) => frame.type === fromServer.answer));
    await session.publish([wire()], { signal: never });
    await until("the server hangs up", client.isClosed);
    expect(client.fatal()).toBeUndefined();
    const other = await groupOf(session, "workers");
    const [delivery] = await other.receive(1, never);
    expect(delivery).toMatchObject({ deliveries: 2, message: { id: "id-1", attempt: 1 } });
  });
});
