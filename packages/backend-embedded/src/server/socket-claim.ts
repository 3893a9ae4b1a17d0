/**
 * One server per socket path, however many start at once, and no path that stays blocked when a server dies.
 *
 * A Unix socket outlives its server as a dead file. Whoever removes it to make room may remove the living socket of another who was quicker, and
 * there is no lock for it that both dies with its owner and is portable. So nothing alive is ever removed, and servers are numbered:
 *
 *   {path}.d/                a directory that only its owner may enter
 *   {path}.d/{unique}.sock   a socket, listening before anybody can see it
 *   {path}.d/claim-{n}       symbolic link to it; making it is atomic and fails where it exists: that is the election
 *   {path}                   symbolic link to the winner's socket, replaced atomically: what clients connect to
 *
 * Who wants to serve looks for the highest claim. If somebody answers there, it has lost. If nobody does, that server is dead for ever (it listened
 * before the claim was made), and claim n + 1 is free to be won. The highest claim is never removed, so it only grows; who has won a lower one,
 * because it looked long ago, sees that afterwards and withdraws.
 */
import { randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { HalyardError } from "@halyard/core/spi";

const claimForm = /^claim-(\d{1,15})$/;

/** Binds with `listen` and claims the path. Returns how to give it back. Rejects with `CONNECT_FAILED`, not retryable, where another server lives. */
export async function claimSocket(path: string, listen: (path: string) => Promise<void>): Promise<() => Promise<void>> {
  const directory = claimDirectory(path);
  await checkReplaceable(path);
  await ownDirectory(directory);
  const own = `${process.pid.toString(36)}-${randomBytes(4).toString("hex")}.sock`;
  await listen(join(directory, own));
  const number = await win(directory, own);
  if (number === undefined) {
    await rm(join(directory, own), { force: true });
    await repair(path, directory);
    throw new HalyardError("CONNECT_FAILED", `Another embedded server listens on ${path}.`, { retryable: false, details: { errno: "EADDRINUSE" } });
  }
  await point(path, join(directory, own));
  await tidy(directory, number, own);
  // The claim stays: it keeps the number from being given twice. The socket is removed, so that the next starter sees at once that nobody lives.
  return () => rm(join(directory, own), { force: true });
}

/** What is no link and no socket was not made by a server and is not ours to replace. @throws INVALID_OPTIONS */
async function checkReplaceable(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || found.isSymbolicLink() || found.isSocket()) return;
  throw new HalyardError("INVALID_OPTIONS", `socketPath ${path} exists and is no socket: choose another path.`);
}

export function claimDirectory(path: string): string {
  return `${path}.d`;
}

/** Makes the directory with access for its owner alone, or checks that it is so. @throws NOT_AUTHORIZED */
export async function ownDirectory(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw new HalyardError("CONNECT_FAILED", `The directory ${directory} cannot be made: ${error.message}.`, { cause: error });
  });
  const found = await lstat(directory);
  if (found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0) return;
  throw new HalyardError(
    "NOT_AUTHORIZED",
    `${directory} must be a directory of this user that nobody else may enter (mode 0700): remove it, or choose another place with the option socketPath.`,
  );
}

/** The number that was won; undefined where another server lives. */
async function win(directory: string, own: string): Promise<number | undefined> {
  for (;;) {
    const highest = await highestClaim(directory);
    if (highest > 0 && (await isAlive(join(directory, `claim-${highest}`)))) return undefined;
    const number = highest + 1;
    const claim = join(directory, `claim-${number}`);
    try {
      await symlink(own, claim);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue; // somebody was quicker: look again whether it lives
      throw error;
    }
    if ((await highestClaim(directory)) === number) return number;
    await rm(claim, { force: true });
  }
}

async function highestClaim(directory: string): Promise<number> {
  let highest = 0;
  for (const name of await readdir(directory)) highest = Math.max(highest, Number(claimForm.exec(name)?.[1] ?? 0));
  return highest;
}

/** Whether somebody listens. A server whose queue of new connections is full is alive. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"));
  });
}

/** Makes `path` lead to `target`, in one step for everybody who looks. */
async function point(path: string, target: string): Promise<void> {
  const next = `${path}.${randomBytes(4).toString("hex")}`;
  await symlink(target, next);
  try {
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}

/** The path may lead nowhere although a server lives (its winner died before it made the link, or somebody removed it): then no client would find it. */
async function repair(path: string, directory: string): Promise<void> {
  const claim = join(directory, `claim-${await highestClaim(directory)}`);
  const target = await readlink(claim).catch(() => undefined);
  const shown = await readlink(path).catch(() => undefined);
  if (target === undefined || shown === join(directory, target) || !(await isAlive(claim))) return;
  await point(path, join(directory, target));
}

/** Removes what dead servers and those that lost have left: all claims below ours, and the sockets they named. */
async function tidy(directory: string, number: number, own: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const claim = Number(claimForm.exec(name)?.[1] ?? Number.POSITIVE_INFINITY);
    if (claim >= number) continue;
    const socket = await readlink(join(directory, name)).catch(() => undefined);
    await rm(join(directory, name), { force: true });
    if (socket !== undefined && socket !== own && !socket.includes("/")) await rm(join(directory, socket), { force: true });
  }
}
