/**
 * Finds the server of this user, or starts one as a process of its own. Any number of clients may do so at once: each starter tries to claim
 * the socket (`server/socket-claim.ts`), one wins, the others end quietly, and all clients meet at the winner.
 */
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Host, Session } from "@halyard/core/spi";
import { HalyardError, isHalyardError, sleep } from "@halyard/core/spi";
import { type ConnectOptions, connectSession } from "./client/connect.ts";
import { claimDirectory, ownDirectory } from "./server/socket-claim.ts";

/** The same from `src/` and from `dist/`. */
const program = fileURLToPath(new URL("../dist/bin/halyard-server.js", import.meta.url));
/** A log above this size becomes the previous log when a server starts. */
const logBytesMax = 1024 * 1024;
/** Longest wait for a server that was started. Core's own deadline is usually shorter. */
const startTimeoutMs = 15_000;
/** A server that did not answer after this is started once more: the first may have met one that was just ending. */
const restartAfterMs = 3_000;
const lookDelayMs = 15;

export interface AutoStartOptions {
  readonly connect: ConnectOptions & { readonly place: { readonly path: string } };
  /** What the started server is told; plain data. */
  readonly server: Readonly<Record<string, unknown>>;
}

/** Name of the environment variable that carries the options: unlike arguments, it is shown to nobody but this user. */
export const optionsVariable = "HALYARD_SERVER_OPTIONS";

/** Connects, and starts a server where there is none. Rejects as `connectSession` does. */
export async function connectOrStart(options: AutoStartOptions, host: Host, signal: AbortSignal): Promise<Session> {
  const { path } = options.connect.place;
  const { clock } = host;
  const giveUpMs = clock.monotonicMs() + startTimeoutMs;
  let startedMs = Number.NEGATIVE_INFINITY;
  for (;;) {
    try {
      return await connectSession(options.connect, host, signal);
    } catch (error) {
      if (!isAbsent(error) || signal.aborted) throw error;
      const nowMs = clock.monotonicMs();
      if (nowMs > giveUpMs) throw notStarted(path, error);
      if (nowMs - startedMs > restartAfterMs) {
        startedMs = nowMs;
        await startServer(path, options.server);
      }
    }
    // All who wait would otherwise knock in the same moment.
    await sleep(clock, lookDelayMs * (0.5 + host.random()), signal);
  }
}

/** Nobody listens, or who did was just ending. */
function isAbsent(error: unknown): boolean {
  if (!isHalyardError(error, "CONNECT_FAILED")) return false;
  const { errno } = error.details;
  return errno === undefined || errno === "ENOENT" || errno === "ECONNREFUSED" || errno === "ECONNRESET" || errno === "EPIPE" || errno === "EAGAIN";
}

async function startServer(socketPath: string, server: Readonly<Record<string, unknown>>): Promise<void> {
  const directory = claimDirectory(socketPath);
  await ownDirectory(directory);
  const log = await openLog(directory);
  try {
    const child = spawn(process.execPath, [program, "--from-environment"], {
      detached: true,
      cwd: "/",
      stdio: ["ignore", log, log],
      env: { ...process.env, [optionsVariable]: JSON.stringify({ ...server, socketPath }), NODE_OPTIONS: "" },
    });
    child.on("error", () => undefined); // it did not start: the clients' own deadline says so, with the place of the log
    child.unref();
  } finally {
    closeSync(log);
  }
}

/** Beside the socket; one previous log is kept. */
async function openLog(directory: string): Promise<number> {
  const path = join(directory, "server.log");
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > logBytesMax) await rename(path, `${path}.1`).catch(() => undefined); // another starter did it
  return openSync(path, constants.O_CREAT | constants.O_APPEND | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0), 0o600);
}

function notStarted(path: string, cause: unknown): HalyardError {
  const log = join(claimDirectory(path), "server.log");
  return new HalyardError("CONNECT_FAILED", `An embedded server was started for ${path} but did not answer within ${startTimeoutMs} ms: see ${log}.`, {
    cause,
  });
}
