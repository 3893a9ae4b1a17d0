/**
 * Runs scripts as processes of their own, for tests of what several processes do to each other: kill one, stop one, count what the others got.
 *
 * What a worker says, JSON lines on stdout or `process.send`, is collected in one list. No worker outlives its test: `startWorker` kills it when the test
 * ends, a pool when it is closed or this process exits, and should this process die by SIGKILL the worker sees its stdin end and exits by itself.
 */
import { type ChildProcess, fork } from "node:child_process";
import { StringDecoder } from "node:string_decoder";
import { fileURLToPath } from "node:url";
import { HalyardError, systemClock } from "@halyard/core/spi";
import { onTestFinished } from "vitest";

export interface WorkerOptions {
  readonly args?: readonly string[];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Options of Node itself. */
  readonly execArgv?: readonly string[];
}

export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Worker {
  /** `undefined` where the process could not be started. */
  readonly pid: number | undefined;
  /** JSON values it wrote as lines on stdout, and what it sent with `process.send`, in the order of arrival; the last 100,000. */
  readonly messages: readonly unknown[];
  /** The end of what else it wrote on stdout and stderr, for error messages. */
  readonly output: string;
  /** Resolves when the process is gone and all it wrote has been read. Never rejects. */
  readonly exited: Promise<WorkerExit>;
  /** To its `process.on("message")`. */
  send(message: object): void;
  /** Default SIGKILL. Resolves like `exited` for a signal that ends it; with SIGSTOP and SIGCONT at once. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /**
   * The first message, of those that came and those to come, for which the predicate holds. Rejects with TIMEOUT after `deadlineMs` (default 10,000), and
   * with CLOSED when the worker ends without having sent one; both show its output.
   */
  waitFor<Wanted = unknown>(predicate: (message: Wanted) => boolean, deadlineMs?: number): Promise<Wanted>;
}

/** Workers that are stopped together. */
export interface WorkerPool {
  /** `script` is a JavaScript module, as a URL (`new URL("./worker.mjs", import.meta.url)`) or a path. */
  start(script: URL | string, options?: WorkerOptions): Worker;
  /** Those still running. */
  readonly workers: readonly Worker[];
  /** Kills them all and resolves when they are gone. */
  stopAll(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const messagesMax = 100_000;
const outputCharactersMax = 64_000;
/** A line longer than this is output, not a message. */
const lineCharactersMax = 16 * 1_048_576;
const waitDeadlineMs = 10_000;
/** Grandchildren may hold a worker's stdout open after it is gone. */
const drainMsMax = 1_000;

/** Loaded into each worker before its script. The watch does not keep the worker alive. */
const endWithParent = "process.stdin.on('end', () => process.exit(1)).on('error', () => process.exit(1)).resume(); process.stdin.unref?.();";

/**
 * Starts one worker that is killed when the current test ends. Call it inside a test; elsewhere use `workerPool()`.
 *
 * @example
 * const worker = startWorker(new URL("./worker.mjs", import.meta.url), { args: ["--group", "g"] });
 * await worker.waitFor((message: { ready?: boolean }) => message.ready === true);
 * await worker.kill();
 */
export function startWorker(script: URL | string, options: WorkerOptions = {}): Worker {
  const pool = workerPool();
  onTestFinished(() => pool.stopAll());
  return pool.start(script, options);
}

export function workerPool(): WorkerPool {
  const running = new Set<ForkedWorker>();
  const killAll = (): void => {
    for (const worker of running) worker.end();
  };
  const stopAll = async (): Promise<void> => {
    killAll();
    await Promise.all(Array.from(running, (worker) => worker.exited));
  };
  return {
    start(script, options = {}) {
      const worker = new ForkedWorker(typeof script === "string" ? script : fileURLToPath(script), options);
      if (running.size === 0) process.on("exit", killAll);
      running.add(worker);
      void worker.exited.then(() => {
        running.delete(worker);
        if (running.size === 0) process.off("exit", killAll);
      });
      return worker;
    },
    get workers() {
      return [...running];
    },
    stopAll,
    [Symbol.asyncDispose]: stopAll,
  };
}

interface Waiter {
  readonly look: (message: unknown) => void;
  readonly giveUp: () => void;
}

class ForkedWorker implements Worker {
  readonly messages: unknown[] = [];
  readonly exited: Promise<WorkerExit>;
  output = "";
  readonly #child: ChildProcess;
  readonly #waiters = new Set<Waiter>();
  #isGone = false;

  constructor(path: string, { args = [], env = {}, execArgv = [] }: WorkerOptions) {
    this.#child = fork(path, args, {
      env: { ...process.env, ...env },
      execArgv: [`--import=data:text/javascript,${encodeURIComponent(endWithParent)}`, ...execArgv],
      stdio: ["pipe", "pipe", "pipe", "ipc"],
      serialization: "json",
    });
    this.#child.on("message", (message) => this.#take(message));
    this.#child.stdin?.on("error", () => undefined); // it is never written to; that the worker is gone is told by `exited`
    this.#readLines();
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#write(text));
    this.exited = this.#end();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: object): void {
    this.#child.send(message, (error) => {
      if (error !== null) this.#write(`\n[not sent: ${error.message}]\n`);
    });
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (!this.#isGone) this.#child.kill(signal);
    if (signal !== "SIGSTOP" && signal !== "SIGCONT") await this.exited;
  }

  /** For those who cannot wait. */
  end(): void {
    if (!this.#isGone) this.#child.kill("SIGKILL");
  }

  waitFor<Wanted = unknown>(predicate: (message: Wanted) => boolean, deadlineMs: number = waitDeadlineMs): Promise<Wanted> {
    // What a worker says is not checked: the test that wrote its script knows what it says.
    const isWanted = (message: unknown): message is Wanted => predicate(message as Wanted);
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        cancel();
        this.#waiters.delete(waiter);
      };
      const fail = (code: "TIMEOUT" | "CLOSED", text: string): void => {
        finish();
        reject(new HalyardError(code, `${text} It sent ${this.messages.length} messages. Its output: ${this.output === "" ? "none" : this.output}`));
      };
      const look = (message: unknown): void => {
        try {
          if (!isWanted(message)) return;
          finish();
          resolve(message);
        } catch (error) {
          finish();
          reject(error);
        }
      };
      const waiter: Waiter = { look, giveUp: () => fail("CLOSED", "The worker ended without sending what was waited for.") };
      const cancel = systemClock.after(deadlineMs, () => fail("TIMEOUT", `The worker did not send what was waited for within ${deadlineMs} ms.`));
      this.#waiters.add(waiter);
      for (const message of this.messages) if (this.#waiters.has(waiter)) look(message);
      if (this.#isGone && this.#waiters.has(waiter)) waiter.giveUp();
    });
  }

  #readLines(): void {
    const decoder = new StringDecoder();
    let rest = "";
    this.#child.stdout?.on("data", (bytes: Buffer) => {
      const lines = (rest + decoder.write(bytes)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#readLine(line);
      if (rest.length <= lineCharactersMax) return;
      this.#write(rest);
      rest = "";
    });
    this.#child.stdout?.on("end", () => {
      if (rest !== "") this.#readLine(rest);
    });
  }

  #readLine(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.#write(`${line}\n`); // whatever is not JSON is what the script, or a library, printed for people
      return;
    }
    this.#take(message);
  }

  #take(message: unknown): void {
    this.messages.push(message);
    if (this.messages.length > messagesMax) this.messages.shift();
    for (const { look } of [...this.#waiters]) look(message);
  }

  #write(text: string): void {
    this.output = (this.output + text).slice(-outputCharactersMax);
  }

  async #end(): Promise<WorkerExit> {
    const child = this.#child;
    // `close` may come in the same turn as `exit`: both are listened to from the start.
    const drained = new Promise<void>((resolve) => child.once("close", resolve));
    const exit = await new Promise<WorkerExit>((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
      child.on("error", (error) => {
        this.#write(`\n[${error.message}]\n`);
        if (child.pid === undefined) resolve({ code: null, signal: null });
      });
    });
    await new Promise<void>((resolve) => {
      const cancel = systemClock.after(drainMsMax, resolve);
      void drained.then(() => {
        cancel();
        resolve();
      });
    });
    this.#isGone = true;
    for (const { giveUp } of [...this.#waiters]) giveUp();
    return exit;
  }
}
