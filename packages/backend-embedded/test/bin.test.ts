import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { embedded } from "../src/embedded.ts";
import { never, testHost, until, wire } from "./support/host.ts";
import { afterwards, temporaryDirectory } from "./support/servers.ts";

const program = fileURLToPath(new URL("../dist/bin/halyard-server.js", import.meta.url));

function run(...line: string[]): { readonly status: number | null; readonly output: string } {
  const result = spawnSync(process.execPath, [program, ...line], { encoding: "utf8", timeout: 15_000 });
  return { status: result.status, output: result.stdout + result.stderr };
}

interface Running {
  readonly child: ChildProcess;
  readonly port: () => number;
  readonly output: () => string;
}

async function start(...line: string[]): Promise<Running> {
  const child = spawn(process.execPath, [program, ...line], { stdio: ["ignore", "pipe", "pipe"] });
  afterwards(() => child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await until("it listens", () => output.includes('"listening"') || child.exitCode !== null);
  return { child, port: () => Number(/127\.0\.0\.1:(\d+)/.exec(output)?.[1]), output: () => output };
}

describe("halyard-server", () => {
  test("shows its help and its version", () => {
    expect(run("--help")).toMatchObject({ status: 0, output: expect.stringContaining("--socket-path") });
    expect(run("--version").output).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("says in one line what is wrong with its arguments, and fails", () => {
    const wrong: readonly [string, readonly string[]][] = [
      ["--prot", ["--prot", "1"]],
      ["--port must be a whole number", ["--port", "x"]],
      ["port must be a whole number from 0 to 65535", ["--port", "99999"]],
      ["give the option token", ["--host", "0.0.0.0", "--port", "0"]],
      ["tls needs cert and key", ["--port", "0", "--tls-ca", program]],
      ["--from-environment is for servers that a client starts", ["--from-environment"]],
    ];
    for (const [text, line] of wrong) {
      const { status, output } = run(...line);
      expect(output).toContain(text);
      expect(output).not.toContain("    at ");
      expect(status).toBe(1);
    }
  });

  test("serves with the token of a file, answers what is open when it is told to end, and ends well", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "token"), "from-a-file\n");
    const { child, port, output } = await start("--port", "0", "--token-file", join(directory, "token"));
    const session = await embedded({ port: port(), token: "from-a-file", autoStart: false }).connect(testHost(), never);
    const publishing = session.publish([wire()], { signal: never });
    expect(await publishing).toBeUndefined();
    child.kill("SIGTERM");
    expect(await session.closed).toMatchObject({ code: "CONNECTION_LOST", retryable: true });
    await until("it has ended", () => child.exitCode !== null);
    expect(child.exitCode).toBe(0);
    expect(output()).not.toContain("from-a-file");
  });

  test("ends by itself when it is idle, where that was asked for", async () => {
    const { child, output } = await start("--port", "0", "--idle-ms", "100");
    await until("it has ended", () => child.exitCode !== null);
    expect(output()).toContain('"reason":"idle"');
  });

  test("says so when its port is taken", async () => {
    const { port } = await start("--port", "0");
    const second = run("--port", String(port()), "--no-user-socket");
    expect(second).toMatchObject({ status: 1, output: expect.stringContaining("another server listens there") });
  });
});
