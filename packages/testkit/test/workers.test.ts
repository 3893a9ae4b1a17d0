import { expect, test, vi } from "vitest";
import { startWorker, workerPool } from "../src/workers.ts";

const script = new URL("./worker.mjs", import.meta.url);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a worker gets its arguments and environment, and both its ways to speak are heard", async () => {
  const worker = startWorker(script, { args: ["echo", "a", "b"], env: { WORKER_SECRET: "s" } });
  expect(await worker.waitFor((message: { ready?: boolean }) => message.ready === true)).toEqual({ ready: true, rest: ["a", "b"], secret: "s" });
  worker.send({ hello: 1 });
  expect(await worker.waitFor((message: { echoed?: unknown }) => message.echoed !== undefined)).toEqual({ echoed: { hello: 1 } });
});

test("every line is collected, in order, the last one without a line break too", async () => {
  const worker = startWorker(script, { args: ["count"] });
  expect(await worker.exited).toEqual({ code: 0, signal: null });
  expect(worker.messages).toHaveLength(1_001);
  expect(worker.messages[999]).toEqual({ index: 999, text: "ü".repeat(20) });
  expect(worker.messages[1_000]).toEqual({ last: true });
});

test("what is not JSON is kept as output, and shown when a wait fails", async () => {
  const worker = startWorker(script, { args: ["fail"] });
  await expect(worker.waitFor(() => false)).rejects.toMatchObject({ code: "CLOSED", message: expect.stringMatching(/plain words|and a complaint/) });
  expect(await worker.exited).toEqual({ code: 3, signal: null });
  expect(worker.output).toContain("plain words");
  expect(worker.output).toContain("and a complaint");
  await expect(worker.waitFor(() => true)).rejects.toMatchObject({ code: "CLOSED" });
});

test("a wait ends at its deadline", async () => {
  const worker = startWorker(script, { args: ["stay"] });
  await expect(worker.waitFor(() => false, 50)).rejects.toMatchObject({ code: "TIMEOUT" });
});

test("a killed worker is gone, and killing it again is harmless", async () => {
  const worker = startWorker(script, { args: ["stay"] });
  const { pid } = await worker.waitFor((message: { pid?: number }) => message.pid !== undefined);
  await worker.kill();
  expect(await worker.exited).toEqual({ code: null, signal: "SIGKILL" });
  expect(isAlive(pid ?? 0)).toBe(false);
  await worker.kill();
});

test("a stopped worker can be continued, and killed while it stands still", async () => {
  const worker = startWorker(script, { args: ["echo"] });
  await worker.waitFor((message: { ready?: boolean }) => message.ready === true);
  await worker.kill("SIGSTOP");
  worker.send({ late: 1 });
  await worker.kill("SIGCONT");
  await worker.waitFor((message: { echoed?: unknown }) => message.echoed !== undefined);
  await worker.kill("SIGSTOP");
  await worker.kill();
});

test("a pool stops all its workers, leaves no listener, and a script that does not exist is an exit", async () => {
  const before = process.listenerCount("exit");
  const pool = workerPool();
  const workers = Array.from({ length: 3 }, () => pool.start(script, { args: ["stay"] }));
  const missing = pool.start(new URL("./no-such-worker.mjs", import.meta.url));
  await Promise.all(workers.map((worker) => worker.waitFor((message: { pid?: number }) => message.pid !== undefined)));
  expect((await missing.exited).code).toBe(1);
  expect(pool.workers).toHaveLength(3);
  await pool.stopAll();
  expect(pool.workers).toHaveLength(0);
  expect(workers.some((worker) => isAlive(worker.pid ?? 0))).toBe(false);
  expect(process.listenerCount("exit")).toBe(before);
});

test("a worker does not outlive a parent that is killed", async () => {
  const parent = startWorker(script, { args: ["parent"] });
  const { pid } = await parent.waitFor((message: { pid?: number }) => message.pid !== undefined);
  expect(isAlive(pid ?? 0)).toBe(true);
  await parent.kill();
  await vi.waitFor(() => expect(isAlive(pid ?? 0)).toBe(false), { timeout: 10_000 });
});
