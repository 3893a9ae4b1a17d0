/**
 * What a started broker is: a process of ours on a free loopback port with data of its own, which a test may kill, pause and start again.
 *
 * One plan per broker says what to run and how to ask whether it answers; everything about processes is here, once. The port and the data stay
 * the same over all restarts, so clients find the broker again where they lost it.
 */
import { HalyardError } from "@halyard/core/spi";
import { type OwnedProcess, startProcess } from "./owned-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { wait } from "./wait.ts";
import { startWatchdog, type Watchdog } from "./watchdog.ts";

export type BrokerKind = "redis" | "nats" | "rabbitmq";

/** What a client needs to verify a broker that speaks TLS. */
export interface BrokerTls {
  /** PEM of the authority that signed the broker's certificate. */
  readonly ca: string;
  /** PEM of a certificate and key that the broker accepts from clients. */
  readonly clientCertificate: string;
  readonly clientKey: string;
}

export interface Broker {
  /** With credentials, if there are any. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Of the process that matters: SIGKILL to it is the death of the broker. It changes with every start; 0 while the broker is down. */
  readonly pid: number;
  /** As the broker itself says, e.g. `7.0.15`. */
  readonly version: string;
  /** False for a broker that was running before and is only used: kill, restart, start, pause and resume then throw. */
  readonly isOwned: boolean;
  /** Present where it was started with `tls`. */
  readonly tls?: BrokerTls;
  /** Stops it in its own orderly way and starts it again, same port, same data. Resolves when it answers. */
  restart(): Promise<void>;
  /** SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** Stops it in its own orderly way, and keeps its data for `start`. */
  shutDown(): Promise<void>;
  /** Starts it again after `kill` or `shutDown`. Resolves when it answers. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  pause(): void;
  /** SIGCONT */
  resume(): void;
  /** The end: the process is gone and its data deleted. May be called twice. */
  stop(): Promise<void>;
  /** The last lines of its log. */
  log(): string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What to run, and how to ask whether it answers. */
export interface BrokerPlan {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  /** Holds everything the broker writes; deleted by `stop`. */
  readonly directory: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly tls?: BrokerTls;
  /** Processes beside it that live until `stop`. */
  readonly companions?: readonly OwnedProcess[];
  /** Asks once over the broker's own protocol. Resolves with its version, rejects while it is not ready. */
  probe(): Promise<string>;
  /** What is done before an orderly stop, while the broker still answers. Where it fails the stop comes all the same. */
  readonly beforeStop?: () => Promise<unknown>;
  /** SIGTERM is an orderly stop on all three; it may take this long before SIGKILL follows. */
  readonly stopMsMax: number;
  readonly readyMsMax: number;
}

const probePauseMs = 25;

/** Another program may take a port between the moment it was found free and the moment the broker listens. */
const startsMax = 3;

/**
 * Starts what the plan for a fresh directory says. Rejects with CONNECT_FAILED and the end of the broker's log where it does not answer in time.
 *
 * @param triesMax - how often with new ports; a node of a cluster has but one try, because others know its port
 */
export async function startBroker(name: BrokerKind, planFor: (directory: string) => Promise<BrokerPlan>, triesMax: number = startsMax): Promise<Broker> {
  for (let attempt = 1; ; attempt++) {
    const directory = await temporaryDirectory(name);
    const watchdog = startWatchdog(directory);
    const planned = planFor(directory).then((plan) => new LocalBroker(plan, watchdog));
    try {
      const broker = await planned;
      await broker.start();
      return broker;
    } catch (error) {
      const broker = await planned.catch(() => undefined); // its error is the one in hand
      const isPortTaken = /address (already )?in use|eaddrinuse/i.test(broker?.log() ?? "");
      await (broker ?? watchdog).stop();
      if (!isPortTaken || attempt >= triesMax) throw error;
    }
  }
}

class LocalBroker implements Broker {
  readonly url: string;
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly isOwned = true;
  readonly tls?: BrokerTls;
  version = "";
  readonly #plan: BrokerPlan;
  readonly #watchdog: Watchdog;
  #process: OwnedProcess | undefined;

  constructor(plan: BrokerPlan, watchdog: Watchdog) {
    this.#plan = plan;
    this.#watchdog = watchdog;
    this.url = plan.url;
    this.port = plan.port;
    if (plan.tls !== undefined) this.tls = plan.tls;
  }

  get pid(): number {
    return this.#process?.isRunning === true ? this.#process.pid : 0;
  }

  async start(): Promise<void> {
    if (this.pid !== 0) throw new HalyardError("BACKEND_FAILED", `${this.#plan.name} is running already: call kill or shutDown before start.`);
    const { name, program, args, env = {}, directory, companions = [], readyMsMax } = this.#plan;
    const child = startProcess({ program, args, env, directory });
    this.#process = child;
    this.#watchdog.watch(child.pid, ...companions.map(({ pid }) => pid));
    const deadlineMs = performance.now() + readyMsMax;
    let reason: unknown;
    while (performance.now() < deadlineMs) {
      if (!child.isRunning) throw new HalyardError("CONNECT_FAILED", `${name} ended while it started. Its log ends with:\n${this.log()}`);
      try {
        this.version = await this.#plan.probe();
        return;
      } catch (error) {
        reason = error;
        await wait(probePauseMs);
      }
    }
    throw new HalyardError("CONNECT_FAILED", `${name} did not answer within ${readyMsMax} ms (${String(reason)}). Its log ends with:\n${this.log()}`, {
      cause: reason,
    });
  }

  async kill(): Promise<void> {
    await this.#process?.end("SIGKILL");
  }

  async shutDown(): Promise<void> {
    this.#process?.signal("SIGCONT");
    if (this.pid !== 0) await this.#plan.beforeStop?.().catch(() => undefined);
    await this.#process?.end("SIGTERM", this.#plan.stopMsMax);
  }

  async restart(): Promise<void> {
    await this.shutDown();
    await this.start();
  }

  pause(): void {
    this.#process?.signal("SIGSTOP");
  }

  resume(): void {
    this.#process?.signal("SIGCONT");
  }

  async stop(): Promise<void> {
    await this.kill(); // its data is deleted anyway
    for (const companion of this.#plan.companions ?? []) await companion.end("SIGKILL");
    await this.#watchdog.stop();
  }

  log(): string {
    return this.#process?.log() ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
