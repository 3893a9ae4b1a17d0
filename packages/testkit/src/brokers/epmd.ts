/** Erlang's name server, through which RabbitMQ's nodes and tools find each other: one of our own, so that none is left behind that belongs to nobody. */
import { freePort } from "./free-port.ts";
import { openLine } from "./line.ts";
import { type OwnedProcess, startProcess } from "./owned-process.ts";
import { wait } from "./wait.ts";

export interface Epmd {
  readonly port: number;
  readonly process: OwnedProcess;
}

const readyMsMax = 5_000;

export async function startEpmd(directory: string): Promise<Epmd> {
  const port = await freePort();
  const child = startProcess({ program: "epmd", args: ["-port", String(port), "-address", "127.0.0.1"], env: {}, directory });
  const deadlineMs = performance.now() + readyMsMax;
  while (child.isRunning && performance.now() < deadlineMs) {
    try {
      (await openLine(port)).close();
      return { port, process: child };
    } catch {
      await wait(20); // it listens within milliseconds; the deadline above is for a machine that is busy
    }
  }
  await child.end("SIGKILL");
  throw new Error(`epmd did not start: ${child.log()}`);
}
