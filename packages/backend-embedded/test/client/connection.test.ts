import { createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { embedded } from "../../src/embedded.ts";
import { ChunkPool, FrameWriter } from "../../src/protocol/frame-writer.ts";
import { fromServer } from "../../src/protocol/frames.ts";
import { writeWelcome } from "../../src/protocol/greeting.ts";
import { never, testHost, until, wire } from "../support/host.ts";
import { afterwards, rawClient, sayHello, testServer, testSession } from "../support/servers.ts";

/** A server that says what it is told to, and nothing else. */
async function fakeServer(onSocket: (writer: FrameWriter, socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(new FrameWriter(new ChunkPool(), (chunk) => void socket.write(chunk)), socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterwards(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

const welcome = {
  capabilities: {
    durable: false,
    dedupMs: 0,
    orderedTopics: true,
    exclusive: true,
    priorityLevels: 10,
    delayMsMax: Number.POSITIVE_INFINITY,
    delayLateness: { ratio: 0, floorMs: 250 },
    countsDeliveries: true,
    handlerMsMax: undefined,
    startsAt: { earliest: true, time: true },
    bodyBytesMax: 1_000_000,
    carriesValues: false,
    persistentByMessage: false,
  },
  frameBytesMax: 2_000_000,
  hasHistory: false,
  hasHistoryById: false,
};

describe("connecting", () => {
  test("without a server says where none was found, and that trying again may help", async () => {
    const port = await fakeServer(() => undefined);
    const closed = embedded({ port: port === 65_535 ? 1 : 9, autoStart: false }).connect(testHost(), never);
    await expect(closed).rejects.toMatchObject({ code: "CONNECT_FAILED", retryable: true, message: expect.stringContaining("127.0.0.1") });
  });

  test("with a wrong or missing token is AUTH_FAILED, is not worth retrying, and shows no token", async () => {
    const { port } = await testServer({ token: "right-s3cret" });
    await testSession(port, { token: "right-s3cret" });
    for (const token of ["wrong-s3cret", "right-s3cre", "right-s3cret-and-more", undefined]) {
      const options = token === undefined ? {} : { token };
      const error = await embedded({ port, autoStart: false, ...options })
        .connect(testHost(), never)
        .then(
          () => undefined,
          (thrown: unknown) => thrown as Error,
        );
      expect(error).toMatchObject({ code: "AUTH_FAILED", retryable: false });
      expect(`${error?.message}${JSON.stringify(error)}`).not.toContain("s3cret");
    }
  });

  test("gives up when the signal aborts, also while the server says nothing", async () => {
    const port = await fakeServer(() => undefined);
    const controller = new AbortController();
    const connecting = embedded({ port, autoStart: false }).connect(testHost(), controller.signal);
    controller.abort();
    await expect(connecting).rejects.toMatchObject({ code: "ABORTED" });
    await expect(embedded({ port, autoStart: false }).connect(testHost(), controller.signal)).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("to something that is no Halyard server is a broken protocol", async () => {
    const port = await fakeServer((_, socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await expect(embedded({ port, autoStart: false }).connect(testHost(), never)).rejects.toMatchObject({ code: "PROTOCOL_ERROR", retryable: false });
  });

  test("to a server that hangs up before the welcome may be tried again", async () => {
    const port = await fakeServer((_, socket) => void socket.end());
    await expect(embedded({ port, autoStart: false }).connect(testHost(), never)).rejects.toMatchObject({ code: "CONNECT_FAILED", retryable: true });
  });

  test("learns the facts of the server, an unlimited one included", async () => {
    const port = await fakeServer((writer) => writeWelcome(writer, welcome));
    const session = await embedded({ port, autoStart: false }).connect(testHost(), never);
    expect(session.capabilities).toEqual(welcome.capabilities);
    expect(session.history).toBeUndefined();
  });
});

describe("an open connection", () => {
  test("to a server that falls silent is given up after three heartbeats", async () => {
    const port = await fakeServer((writer) => writeWelcome(writer, welcome));
    const session = await embedded({ port, autoStart: false, heartbeatMs: 30 }).connect(testHost(), never);
    expect(await session.closed).toMatchObject({ code: "CONNECTION_LOST", message: expect.stringContaining("heartbeats") });
  });

  test("stays while both sides have nothing to say but heartbeats", async () => {
    const server = await testServer();
    const session = await testSession(server.port, { heartbeatMs: 20 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await session.admin.ping(never);
    expect(server.stats().clients).toBe(1);
  });

  test("gives up requests that are not answered: publishes are unknown, others time out", async () => {
    const port = await fakeServer((writer, socket) => {
      writeWelcome(writer, welcome);
      const timer = setInterval(() => {
        writer.begin(128);
        writer.end();
      }, 20);
      socket.on("close", () => clearInterval(timer));
    });
    const session = await embedded({ port, autoStart: false, requestTimeoutMs: 60, heartbeatMs: 1_000 }).connect(testHost(), never);
    expect(await session.publish([wire(), wire({ id: "2" })], { signal: never })).toMatchObject([
      { status: "unknown", error: { code: "TIMEOUT" } },
      { status: "unknown", error: { code: "TIMEOUT" } },
    ]);
    await expect(session.admin.ping(never)).rejects.toMatchObject({ code: "TIMEOUT", retryable: true });
  });

  test("reports a publish that was aborted as unknown once it was sent, and as refused before", async () => {
    const port = await fakeServer((writer) => writeWelcome(writer, welcome));
    const session = await embedded({ port, autoStart: false }).connect(testHost(), never);
    const controller = new AbortController();
    const publishing = session.publish([wire()], { signal: controller.signal });
    controller.abort();
    expect(await publishing).toMatchObject([{ status: "unknown", error: { code: "ABORTED" } }]);
    expect(await session.publish([wire()], { signal: controller.signal })).toMatchObject([{ status: "refused", error: { code: "ABORTED" } }]);
  });

  test("ends when the server breaks the protocol, with every open request rejected", async () => {
    const port = await fakeServer((writer, socket) => {
      writeWelcome(writer, welcome);
      let chunks = 0;
      socket.on("data", () => {
        if (++chunks < 2) return;
        writer.begin(fromServer.statuses);
        writer.u32(1);
        writer.u8(9);
        writer.end();
      });
    });
    const session = await embedded({ port, autoStart: false }).connect(testHost(), never);
    await expect(session.publish([wire()], { signal: never })).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    expect(await session.closed).toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  test("passes on every event of the server", async () => {
    const events = [
      { type: "blocked", reason: "memory" },
      { type: "unblocked", reason: "memory" },
      { type: "recreated", what: "group", lost: "unknown" },
      { type: "warning", text: "beware" },
    ];
    const port = await fakeServer((writer) => {
      writeWelcome(writer, welcome);
      for (const event of events) {
        writer.begin(fromServer.event);
        writer.json(event);
        writer.end();
      }
    });
    const host = testHost();
    await embedded({ port, autoStart: false }).connect(host, never);
    await until("all events came", () => host.events.length === events.length);
    expect(host.events).toEqual(events);
  });

  test("is told why when the server throws it out", async () => {
    const { port } = await testServer();
    const raw = rawClient(port);
    sayHello(raw);
    sayHello(raw);
    await until("it is thrown out", raw.isClosed);
    expect(raw.fatal()?.code).toBe("PROTOCOL_ERROR");
  });
});
