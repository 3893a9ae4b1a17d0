/** What a broker-fault case gets: a broker that it may kill, buses, consumers in processes of their own, and the ledger that decides. */
import assert, { AssertionError } from "node:assert/strict";
import { rmSync } from "node:fs";
import {
  type Bus,
  type BusOptions,
  createBus,
  type HandlerContext,
  isHalyardError,
  type Message,
  type PublishOptions,
  type UntypedTopics,
} from "@halyard/core";
import type { Backend } from "@halyard/core/spi";
import type { Broker } from "../../brokers/broker.ts";
import type { FaultyBackend } from "../../faulty/faulty-backend.ts";
import { replacing } from "../../faulty/wrap.ts";
import { type Worker, type WorkerPool, workerPool } from "../../workers.ts";
import { pause } from "../recorder.ts";
import { type Balance, balanceText } from "./balance.ts";
import { Books } from "./books.ts";
import { DiskLedger } from "./disk-ledger.ts";
import { noting } from "./noting.ts";
import type { BrokerUnderTest } from "./place.ts";
import type { WorkerOrders, WorkerWord } from "./worker-orders.ts";

export interface BrokerWorldOptions {
  readonly namespace: string;
  /** For the ledger; deleted by `end`. */
  readonly directory: string;
  /** Of `until`, milliseconds. */
  readonly deadlineMs: number;
  /** Breaks the backend, for the proof of the suite. */
  readonly faulty?: FaultyBackend | undefined;
}

export interface Consuming {
  readonly group: string;
  readonly pattern?: string;
  readonly concurrency?: number;
  readonly inFlightMax?: number;
  /** Before the message counts as handled. */
  readonly run?: (message: Message, context: HandlerContext) => unknown;
}

/** A publish that ends this much later than its deadline has hung: the machine is busy with a broker that starts. */
const overdueMsMax = 2_000;
const publishTimeoutMs = 20_000;
const workerStartMsMax = 30_000;
const closeTimeoutMs = 2_000;

export class BrokerWorld {
  readonly namespace: string;
  readonly broker: Broker;
  readonly subject: BrokerUnderTest;
  readonly directory: string;
  readonly ledger: DiskLedger;
  /** What all processes of this case wrote. */
  readonly books: Books;
  readonly deadlineMs: number;
  /** What became of each group, in the order in which `closes` was asked. */
  readonly balances: { readonly balance: Balance; readonly duplicatesMax: number }[] = [];
  /** How often the case killed a broker or a consumer. Those that a message kills are not among them: they vary. */
  kills = 0;
  /** Publishes that the broker has taken. */
  accepted = 0;
  /** Of what was accepted, so much at most may be handled twice, whatever was under way: a bound above all that was published could never fail. */
  duplicatesShareMax = 1;
  readonly #faulty: FaultyBackend | undefined;
  readonly #buses: Bus[] = [];
  readonly #workers: WorkerPool = workerPool();
  /** Publishes that have not ended. */
  #open = 0;
  #inFlightMax = 0;
  #duplicatesMax = 0;
  #overdueMs = 0;
  #names = 0;
  #hasEnded = false;
  #hasSettled = false;

  constructor(subject: BrokerUnderTest, broker: Broker, options: BrokerWorldOptions) {
    this.subject = subject;
    this.broker = broker;
    this.namespace = options.namespace;
    this.directory = options.directory;
    this.deadlineMs = options.deadlineMs;
    this.#faulty = options.faulty;
    this.ledger = new DiskLedger(options.directory, "suite");
    this.books = new Books(options.directory);
  }

  get place(): { readonly namespace: string; readonly broker: Broker } {
    return { namespace: this.namespace, broker: this.broker };
  }

  /** @param broker - instead of the case's own, e.g. the same one behind a fault proxy */
  async backend(broker: Broker = this.broker): Promise<Backend> {
    const backend = await this.subject.create({ namespace: this.namespace, broker });
    return noting(this.#faulty?.wrap(backend) ?? backend, this.ledger);
  }

  /** A bus in this process, closed after the case. */
  async bus(options: Partial<BusOptions<UntypedTopics>> = {}, broker: Broker = this.broker): Promise<Bus> {
    const bus = await createBus<UntypedTopics>({ backend: await this.backend(broker), ...this.subject.busOptions, ...options, namespace: this.namespace });
    this.#buses.push(bus);
    return bus;
  }

  /** A consumer in this process that writes the ledger. */
  async consume(bus: Bus, { group, pattern = "b.#", concurrency = 10, inFlightMax = 20, run }: Consuming): Promise<void> {
    this.#inFlightMax += inFlightMax;
    await bus.subscribe(pattern, { group, concurrency, inFlightMax }, async (message, context) => {
      this.ledger.note("delivered", message.id, group, context.attempt);
      await run?.(message, context);
      this.ledger.note("handled", message.id, group, context.attempt);
    });
  }

  /** A consumer in a process of its own; resolves when it has subscribed. Once it is dead, what it held may be handled twice. */
  async process(orders: Pick<WorkerOrders, "group" | "job"> & Partial<WorkerOrders>): Promise<Worker> {
    const { processes } = this.subject;
    assert.ok(processes, "the case asked for processes first");
    const all: WorkerOrders = {
      module: processes.module.href,
      config: processes.config?.(this.place) ?? { url: this.broker.url },
      namespace: this.namespace,
      ledgerDirectory: this.directory,
      pattern: "b.#",
      concurrency: 5,
      inFlightMax: 10,
      faulty: this.#faulty?.name,
      ...orders,
    };
    this.#inFlightMax += all.inFlightMax;
    const worker = this.#workers.start(new URL("./worker.js", import.meta.url), { args: [JSON.stringify(all)] });
    void worker.exited.then(() => {
      this.#inFlightMax -= all.inFlightMax;
      this.#duplicatesMax += all.inFlightMax;
    });
    await worker.waitFor((word: WorkerWord) => "subscribed" in word, workerStartMsMax);
    return replacing(worker, {
      kill: (signal = "SIGKILL") => {
        if (signal === "SIGKILL") this.kills++;
        return worker.kill(signal);
      },
    });
  }

  /** Publishes and notes what became of it. Never rejects. */
  async publish(bus: Bus, id: string, options: PublishOptions & { readonly payload?: unknown } = {}): Promise<unknown> {
    const { payload = { id }, timeoutMs = publishTimeoutMs, ...rest } = options;
    const startMs = performance.now();
    this.#open++;
    this.ledger.note("attempted", id);
    try {
      await bus.publish("b.one", payload, { id, timeoutMs, ...rest });
      this.ledger.note("accepted", id);
      this.accepted++;
      return undefined;
    } catch (error) {
      this.ledger.note(isHalyardError(error, "PUBLISH_UNKNOWN") ? "unknown" : "refused", id);
      return error;
    } finally {
      this.#open--;
      this.#overdueMs = Math.max(this.#overdueMs, performance.now() - startMs - timeoutMs);
    }
  }

  /** Publishes without pause until it is stopped; `stop` resolves when all have ended. */
  load(bus: Bus, { perWave = 20, everyMs = 25 } = {}): { stop(): Promise<void> } {
    const name = `load${++this.#names}`;
    let isOver = false;
    const open: Promise<unknown>[] = [];
    const running = (async () => {
      for (let wave = 0; !isOver && !this.#hasEnded; wave++) {
        for (let index = 0; index < perWave; index++) open.push(this.publish(bus, `${name}-${wave}-${index}`));
        await pause(everyMs);
      }
    })();
    return {
      stop: async () => {
        isOver = true;
        await running;
        await Promise.all(open);
      },
    };
  }

  /**
   * Something happens to the broker. What may be handled twice by it: what consumers held, and publishes that were on their way, which are repeated where
   * no answer came. (Of a consumer's process that dies, what it held is counted by itself.)
   *
   * @param options - `isStanding`: the broker takes bytes meanwhile, so publishes that began while it stood still were on their way too
   */
  async strike<Result>(act: () => Result, { sparesConsumers = false, isStanding = false } = {}): Promise<Awaited<Result>> {
    const open = this.#open;
    this.#duplicatesMax += open + (sparesConsumers ? 0 : this.#inFlightMax + this.#ackedWithin(this.subject.ackLossMs ?? 0));
    const result = await act();
    if (isStanding) this.#duplicatesMax += Math.max(0, this.#open - open);
    return result;
  }

  /** SIGKILL, not before what the case declared survives it, unless nothing was declared. */
  async killBroker({ isEmpty = false } = {}): Promise<void> {
    if (!isEmpty) await this.settle();
    this.kills++;
    await this.strike(() => this.broker.kill());
  }

  /** Until what the case declared survives a kill. Waits once: cases declare everything before they kill. */
  async settle(): Promise<void> {
    const settleMs = this.#hasSettled ? 0 : (this.subject.settleMs ?? 0);
    this.#hasSettled = true;
    if (settleMs > 0) await pause(settleMs);
  }

  /** Messages whose ack the broker may not have written down yet. */
  #ackedWithin(durationMs: number): number {
    if (durationMs === 0) return 0;
    const sinceMs = Date.now() - durationMs;
    return this.books.entries().filter(({ fact, timeMs }) => fact === "acked" && timeMs >= sinceMs).length;
  }

  /** A message that is published now is accepted and handled. */
  async assertFlows(bus: Bus, group: string): Promise<void> {
    const id = `canary${++this.#names}`;
    const error = await this.publish(bus, id);
    assert.equal(error, undefined, `a publish after the fault was not accepted: ${String(error)}`);
    await this.until(() => this.books.isHandled(group, id), "it is handled");
  }

  /** Waits until the books of this group are closed, and holds the duplicates against the bound. */
  async closes(bus: Bus, group: string, dead: readonly string[] = []): Promise<Balance> {
    let balance = this.books.balance(group, new Set(dead));
    const duplicatesMax = Math.min(this.#duplicatesMax, Math.floor(this.accepted * this.duplicatesShareMax));
    try {
      await this.until(
        () => {
          balance = this.books.balance(group, new Set(dead));
          return balance.lost.length === 0;
        },
        () => `every accepted message is handled or dead; lost e.g. ${balance.lost.slice(0, 3).join(" ")}; ${balanceText(balance)}`,
      );
    } finally {
      this.balances.push({ balance, duplicatesMax });
    }
    assert.ok(balance.accepted > 0, "no publish was accepted at all");
    assert.ok(balance.duplicates <= duplicatesMax, `more was handled twice than may be, ${duplicatesMax}: ${balanceText(balance)}`);
    assert.ok(this.#overdueMs <= overdueMsMax, `a publish ended ${Math.round(this.#overdueMs)} ms after its deadline`);
    const letters = await bus.deadLetters(group).list({ limit: 1_000 });
    assert.deepEqual(letters.map(({ id }) => id).sort(), [...dead].sort(), `dead letters: ${letters.map(({ reason }) => reason).join(" ")}`);
    return balance;
  }

  async until(condition: () => boolean | Promise<boolean>, what: string | (() => string), deadlineMs = this.deadlineMs): Promise<void> {
    const startMs = performance.now();
    while (!(await condition())) {
      if (this.#hasEnded) throw new Error("the case is over");
      if (performance.now() - startMs > deadlineMs)
        throw new AssertionError({ message: `not within ${deadlineMs} ms: ${typeof what === "string" ? what : what()}` });
      await pause(50);
    }
  }

  /** Whatever the case left: the broker is up again, and nothing of the case is left. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    if (this.broker.isOwned) {
      this.broker.resume();
      if (this.broker.pid === 0) await this.broker.start();
    }
    await this.#workers.stopAll();
    await Promise.allSettled(this.#buses.map((bus) => bus.close({ timeoutMs: closeTimeoutMs })));
    await this.subject.sweep?.(this.place);
    this.ledger.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
