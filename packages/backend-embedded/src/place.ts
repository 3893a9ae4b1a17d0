/** Where the server of one user is found: a socket in a directory that nobody else may enter, named after the port. */
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { HalyardError } from "@halyard/core/spi";
import { ownDirectory } from "./server/socket-claim.ts";

/** `$XDG_RUNTIME_DIR/halyard/{port}.sock`, or `halyard-{user id}/{port}.sock` in the directory for temporary files. */
export function userSocketPath(port: number): string {
  const runtime = process.env.XDG_RUNTIME_DIR;
  const directory = runtime?.startsWith("/") ? join(runtime, "halyard") : join(tmpdir(), `halyard-${process.getuid?.() ?? "user"}`);
  return join(directory, `${port}.sock`);
}

/** Makes the directory of the user's sockets, or checks that it is the user's own. @throws NOT_AUTHORIZED, UNSUPPORTED */
export async function prepareUserDirectory(socketPath: string): Promise<void> {
  if (process.getuid === undefined) {
    throw new HalyardError("UNSUPPORTED", "Starting a server by itself needs Unix sockets: start halyard-server and give embedded({ autoStart: false }).");
  }
  await mkdir(dirname(dirname(socketPath)), { recursive: true });
  await ownDirectory(dirname(socketPath));
}
