import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type EmbeddedOptions, embedded } from "../src/embedded.ts";
import { never, testHost, until, wire } from "./support/host.ts";
import { afterwards, groupOf, temporaryDirectory } from "./support/servers.ts";

const workerPath = fileURLToPath(new URL("./support/worker.mjs", import.meta.url));

interface Worker {
  readonly child: ChildProcess;
  readonly said: Record<string, unknown>[];
  tell(line: string): void;
}

function startWorker(name: string, options: EmbeddedOptions): Worker {
  const child = spawn(process.execPath, [workerPath, JSON.stringify({ name, options })], { stdio: ["pipe", "pipe", "inherit"] });
  const said: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => said.push(JSON.parse(line) as Record<string, unknown>));
  afterwards(() => child.kill("SIGKILL"));
  return { child, said, tell: (line) => void child.stdin.write(`${line}\n`) };
}

interface LogLine {
  readonly event: string;
  readonly pid: number;
  readonly reason?: string;
  readonly dropped?: readonly { readonly group: string; readonly waiting: number }[];
}

async function logOf(socketPath: string): Promise<readonly LogLine[]> {
  const text = await readFile(join(`${socketPath}.d`, "server.log"), "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as LogLine);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A place of its own, whose server is ended after the test by the pid in its log. */
async function place(): Promise<string> {
  const socketPath = join(await temporaryDirectory(), "a.sock");
  afterwards(async () => {
    for (const { pid, event } of await logOf(socketPath)) if (event === "listening" && isRunning(pid)) process.kill(pid, "SIGKILL");
  });
  return socketPath;
}

const started = async (socketPath: string): Promise<readonly LogLine[]> => (await logOf(socketPath)).filter((line) => line.event === "listening");

/** A server is there for its clients a moment before it says so in its log. */
async function startedTimes(socketPath: string, count: number): Promise<readonly LogLine[]> {
  await until(`${count} have said that they listen`, async () => (await started(socketPath)).length >= count);
  const servers = await started(socketPath);
  expect(servers).toHaveLength(count);
  return servers;
}

describe("a server that clients start", () => {
  test("is one for twenty processes that begin at once, and goes when it is idle", { timeout: 60_000 }, async () => {
    const socketPath = await place();
    const workers = Array.from({ length: 20 }, (_, index) => startWorker(`w${index}`, { socketPath, idleMs: 400 }));
    await until("all are connected", () => workers.every((worker) => worker.said.length === 1), 40_000);
    for (const worker of workers) worker.tell("groups");
    await until("all have answered", () => workers.every((worker) => worker.said.length === 2));
    for (const worker of workers) expect(worker.said[1]?.groups).toHaveLength(20);
    const servers = await startedTimes(socketPath, 1);
    for (const worker of workers) worker.tell("leave");
    await until("all have gone", () => workers.every((worker) => worker.child.exitCode === 0));
    await until("the server has gone", () => !isRunning(servers[0]?.pid ?? 0));
    expect((await logOf(socketPath)).at(-1)).toMatchObject({ event: "ending", reason: "idle" });
  });

  test("gives back what a client held that was killed, also the one that started it", { timeout: 60_000 }, async () => {
    const socketPath = await place();
    const victim = startWorker("victim", { socketPath, idleMs: 5_000 });
    await until("it is connected", () => victim.said.length === 1, 20_000);
    victim.tell("hold workers");
    await until("it is subscribed", () => victim.said.length === 2);
    const session = await embedded({ socketPath }).connect(testHost(), never);
    afterwards(() => session.close());
    await session.publish([wire({ id: "a" })], { signal: never });
    await until("it holds a message", () => victim.said.length === 3);
    victim.child.kill("SIGKILL");
    const group = await groupOf(session, "workers");
    const [delivery] = await group.receive(1, never);
    expect(delivery).toMatchObject({ deliveries: 2, message: { id: "a", attempt: 1 } });
    await startedTimes(socketPath, 1);
  });

  test("is started anew after it was killed", { timeout: 60_000 }, async () => {
    const socketPath = await place();
    const backend = embedded({ socketPath, idleMs: 5_000 });
    const first = await backend.connect(testHost(), never);
    for (const { pid } of await startedTimes(socketPath, 1)) process.kill(pid, "SIGKILL");
    expect(await first.closed).toMatchObject({ code: "CONNECTION_LOST" });
    const second = await backend.connect(testHost(), never);
    await second.admin.ping(never);
    await second.close();
    await startedTimes(socketPath, 2);
  });

  test("stays while something waits, and logs what it drops in the end", { timeout: 60_000 }, async () => {
    const socketPath = await place();
    const session = await embedded({ socketPath, idleMs: 100, waitingIdleMs: 1_500 }).connect(testHost(), never);
    const group = await groupOf(session, "workers");
    await session.publish([wire({ id: "a" }), wire({ id: "b" })], { signal: never });
    await group.close();
    await session.close();
    const again = await new Promise<void>((resolve) => setTimeout(resolve, 600)).then(() =>
      embedded({ socketPath, autoStart: false }).connect(testHost(), never),
    );
    expect(await again.admin.group("workers", never)).toMatchObject({ waiting: 2 });
    await again.close();
    const [server] = await startedTimes(socketPath, 1);
    await until("it has gone", () => !isRunning(server?.pid ?? 0), 20_000);
    expect((await logOf(socketPath)).at(-1)).toMatchObject({ event: "ending", dropped: [{ group: "workers", waiting: 2 }] });
  });

  test("asks for the token of the client that started it, which is in no argument of its process", { timeout: 60_000 }, async () => {
    const socketPath = await place();
    const session = await embedded({ socketPath, token: "s3cret-of-mine", idleMs: 5_000 }).connect(testHost(), never);
    afterwards(() => session.close());
    await expect(embedded({ socketPath }).connect(testHost(), never)).rejects.toMatchObject({ code: "AUTH_FAILED" });
    const [server] = await startedTimes(socketPath, 1);
    const line = await readFile(`/proc/${server?.pid}/cmdline`, "utf8").catch(() => "");
    expect(line).not.toContain("s3cret");
    expect(await readFile(join(`${socketPath}.d`, "server.log"), "utf8")).not.toContain("s3cret");
  });
});
