/**
 * Sees to it that no broker outlives the program that started it, even one that ends by SIGKILL.
 *
 * A shell that holds the reading end of a pipe: when this program is gone the pipe ends, and the shell kills the pids it was told and deletes the data. It
 * is a session of its own, so what ends the program's whole process group does not end it. Without a shell (Windows) the programs are the user's to stop.
 */
import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import process from "node:process";

export interface Watchdog {
  /** These processes, instead of the ones before. */
  watch(...pids: readonly number[]): void;
  /** Deletes the data. What was watched has ended. */
  stop(): Promise<void>;
}

/** `pids 1 2` replaces what is watched, `done` ends the watch. */
const script = `
trap '' HUP INT TERM
pids=
while read -r word rest; do
  case "$word" in
    pids) pids=$rest ;;
    done) exit 0 ;;
  esac
done
for pid in $pids; do kill -KILL "$pid"; done
rm -rf "$1"
`;

export function startWatchdog(directory: string): Watchdog {
  const isPosix = process.platform !== "win32";
  const shell = isPosix ? spawn("/bin/sh", ["-c", script, "watchdog", directory], { detached: true, stdio: ["pipe", "ignore", "ignore"] }) : undefined;
  shell?.on("error", () => undefined); // without a shell nothing watches; stop() still works
  shell?.stdin?.on("error", () => undefined);
  shell?.unref();
  return {
    watch(...pids) {
      shell?.stdin?.write(`pids ${pids.join(" ")}\n`);
    },
    async stop() {
      shell?.stdin?.end("done\n");
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
