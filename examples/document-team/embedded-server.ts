/**
 * A server for one run of the demo: it is started by the first who connects (`embedded()` does that), listens on a socket in the run's own folder, so that
 * two runs never meet, and ends by itself soon after the last member has left.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { embedded } from "@halyard/backend-embedded";
import type { Backend } from "@halyard/core";
import { pause } from "./waiting.ts";

/** How long the server outlives its last client. The coordinator is connected during the whole run. */
const idleMs = 500;
const endsWithinMs = 5_000;

export const socketIn = (folder: string): string => join(folder, "bus.sock");

export function embeddedAt(socketPath: string): Backend {
  // Nobody asks for history here, and dead letters that are left have been told: the server need not wait for anyone.
  return embedded({ socketPath, idleMs, waitingIdleMs: idleMs, server: { memory: { history: false } } });
}

/** Waits until the server has ended by itself, and ends it where it does not. Rejects where it is still there, which is a fault. */
export async function endServer(socketPath: string): Promise<void> {
  if (await isGone(socketPath)) return;
  const pid = pidOf(socketPath);
  if (pid !== undefined) process.kill(pid, "SIGTERM");
  if (pid === undefined || !(await isGone(socketPath))) throw new Error(`The private server at ${socketPath} did not end.`);
}

/** The path is a link to the server's socket, which goes with the server. */
async function isGone(socketPath: string): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < endsWithinMs; waitedMs += 50) {
    if (!existsSync(socketPath)) return true;
    await pause(50);
  }
  return false;
}

/** As the server's log says, beside its socket. */
function pidOf(socketPath: string): number | undefined {
  const path = join(`${socketPath}.d`, "server.log");
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  const started = lines.findLast((line) => line.includes('"event":"listening"'));
  return started === undefined ? undefined : (JSON.parse(started) as { readonly pid: number }).pid;
}
