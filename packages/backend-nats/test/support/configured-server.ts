/** A NATS server with a configuration that the launcher does not know: how users sign in is what is tested. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ConfiguredServer {
  readonly port: number;
  stop(): Promise<void>;
}

const program = "nats-server";
const readyMsMax = 10_000;

/** `jetstream`: what its block holds besides the place of its files. */
export async function configuredServer(config: string, jetstream = ""): Promise<ConfiguredServer> {
  const directory = await mkdtemp(join(tmpdir(), "halyard-nats-"));
  const port = await freePort();
  const file = join(directory, "nats.conf");
  await writeFile(file, `host: "127.0.0.1"\nport: ${port}\njetstream { store_dir: ${JSON.stringify(join(directory, "js"))}, ${jetstream} }\n${config}\n`);
  const child = spawn(program, ["--config", file], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let log = "";
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`nats-server is not ready within ${readyMsMax} ms:\n${log}`)), readyMsMax);
    child.stderr.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (!log.includes("Server is ready")) return;
      clearTimeout(timer);
      resolve();
    });
    child.once("exit", () => reject(new Error(`nats-server ended:\n${log}`)));
  });
  return {
    port,
    async stop() {
      child.kill("SIGKILL");
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("the port is not known");
  return address.port;
}
