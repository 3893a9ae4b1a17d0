/** One process that this program started: its output goes to a file, so that a busy or dead parent never makes it wait, and it is stopped by its pid. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HalyardError } from "@halyard/core/spi";
import { wait } from "./wait.ts";

export interface ProcessOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Working directory, and where `output.log` is written. */
  readonly directory: string;
}

export interface OwnedProcess {
  readonly pid: number;
  readonly isRunning: boolean;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when it is gone; SIGKILL follows after `graceMsMax`. */
  end(signal: NodeJS.Signals, graceMsMax?: number): Promise<void>;
  /** The end of what it wrote. */
  log(): string;
}

/** Enough to see why a broker did not start. */
const logCharactersMax = 4_000;
const graceMsDefault = 10_000;

/** Starts it in a session of its own, so that a Ctrl-C in the terminal reaches this program only. Throws CONNECT_FAILED where there is nothing to start. */
export function startProcess({ program, args, env, directory }: ProcessOptions): OwnedProcess {
  const path = join(directory, "output.log");
  const output = openSync(path, "a");
  const child = spawn(program, args, { cwd: directory, env: { ...process.env, ...env }, detached: true, stdio: ["ignore", output, output] });
  closeSync(output);
  child.on("error", () => undefined); // told by `pid` here, and by `isRunning` later
  const { pid } = child;
  if (pid === undefined) throw new HalyardError("CONNECT_FAILED", `${program} could not be started.`);
  child.unref();
  let isRunning = true;
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => {
      isRunning = false;
      resolve();
    });
  });
  const signal = (name: NodeJS.Signals): void => {
    if (isRunning) child.kill(name);
  };
  return {
    pid,
    get isRunning() {
      return isRunning;
    },
    signal,
    async end(name, graceMsMax = graceMsDefault) {
      if (!isRunning) return;
      child.ref();
      signal(name);
      const quick = new AbortController();
      await Promise.race([gone, wait(graceMsMax, quick.signal)]);
      quick.abort();
      signal("SIGKILL");
      await gone;
    },
    log: () => readFileSync(path, "utf8").slice(-logCharactersMax),
  };
}
