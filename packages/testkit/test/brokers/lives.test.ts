/** What every broker of the launcher does, asked of all three. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, it, onTestFinished } from "vitest";
import { type Broker, startNats, startRabbitmq, startRedis } from "../../src/brokers/index.ts";
import { wait } from "../../src/brokers/wait.ts";
import { startWorker } from "../../src/index.ts";

const starts: Readonly<Record<string, () => Promise<Broker>>> = {
  redis: () => startRedis({ isOwned: true }),
  nats: () => startNats({ isOwned: true }),
  rabbitmq: () => startRabbitmq({ isOwned: true }),
};
const startMsMax = 70_000;

for (const [name, start] of Object.entries(starts)) {
  describe(name, { timeout: startMsMax }, () => {
    let broker: Broker;
    beforeAll(async () => {
      broker = await start();
    }, startMsMax);
    afterAll(() => broker.stop());

    it("answers when it has started, on the loopback address only", async () => {
      assert.match(broker.version, /^\d+\.\d+/);
      assert.ok(await listens(broker.port));
    });

    it("is gone after kill, and back on the same port after start", async () => {
      const { pid, port } = broker;
      await broker.kill();
      assert.equal(broker.pid, 0);
      assert.ok(!isAlive(pid));
      assert.ok(!(await listens(port)));
      await broker.start();
      assert.notEqual(broker.pid, pid);
      assert.ok(await listens(port));
    });

    it("stops answering while it is paused, with its connections open", async () => {
      broker.pause();
      const socket = connect({ port: broker.port, host: broker.host }).on("error", () => undefined);
      onTestFinished(() => void socket.destroy());
      socket.write(name === "rabbitmq" ? "AMQP\0\0\u0009\u0001" : "PING\r\n");
      const answer = new Promise<string>((resolve) => socket.once("data", (bytes) => resolve(bytes.toString("latin1"))));
      assert.equal(await Promise.race([answer, wait(300)]), undefined);
      broker.resume();
      assert.ok((await answer).length > 0);
    });

    it("is another process after an orderly restart", async () => {
      const { pid } = broker;
      await broker.restart();
      assert.ok(!isAlive(pid));
      assert.ok(isAlive(broker.pid));
    });

    it("leaves neither process nor data when the program that started it is killed", async () => {
      const parent = startWorker(new URL("parent.mjs", import.meta.url), { args: [name] });
      const started = await parent.waitFor<{ pid: number; directory: string }>((message) => message.pid > 0, startMsMax);
      assert.ok(existsSync(started.directory));
      await parent.kill("SIGKILL");
      const deadlineMs = performance.now() + 10_000;
      while ((isAlive(started.pid) || existsSync(started.directory)) && performance.now() < deadlineMs) await wait(20);
      assert.ok(!isAlive(started.pid), "the broker lives");
      assert.ok(!existsSync(started.directory), "its data lies there");
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
