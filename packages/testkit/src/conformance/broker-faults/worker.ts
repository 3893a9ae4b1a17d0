/** The consumer process of the broker-fault suites: one bus, one subscription, and the ledger. It is meant to be killed, drains on SIGTERM, and never ends by itself. */
import process from "node:process";
import { createBus, type Message } from "@halyard/core";
import type { Backend } from "@halyard/core/spi";
import { faultyOnBrokers } from "../../faulty/on-brokers.ts";
import { gate, pause } from "../recorder.ts";
import { DiskLedger } from "./disk-ledger.ts";
import { noting } from "./noting.ts";
import type { WorkerCommand, WorkerOrders, WorkerWord } from "./worker-orders.ts";

// Written by this kit (see `processes.ts`), so it is what it says.
const orders = JSON.parse(process.argv[2] ?? "") as WorkerOrders;
const say = (word: WorkerWord): void => void process.send?.(word);

const { createBackend } = (await import(orders.module)) as { createBackend(config: unknown): Backend | Promise<Backend> };
const ledger = new DiskLedger(orders.ledgerDirectory, String(process.pid));
const good = await createBackend(orders.config);
const faulty = faultyOnBrokers.find(({ name }) => name === orders.faulty);
const backend = noting(faulty?.wrap(good) ?? good, ledger);
const bus = await createBus({ backend, namespace: orders.namespace, closeOnSignals: ["SIGTERM"] });
const told = gate();
process.on("message", ({ command }: { readonly command: WorkerCommand }) => {
  if (command === "go on") told.open();
  else {
    const { leasesLost, stale } = bus.metrics();
    say({ leasesLost, stale });
  }
});

const isPoison = ({ payload }: Message): boolean => typeof payload === "object" && payload !== null && "poison" in payload;

let hasStoodStill = false;
/** Nothing else of the process runs meanwhile. Once, unless the payload says `always`: what outlasts its lease comes again. */
function standStill({ payload }: Message): void {
  if (typeof payload !== "object" || payload === null || !("blockMs" in payload) || (hasStoodStill && !("always" in payload))) return;
  hasStoodStill = true;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(payload.blockMs));
}

const { group, concurrency, inFlightMax, retryDelayMs = 100, runMs = 0 } = orders;
const retry = { delayMs: retryDelayMs, factor: 1, jitter: 0 };
await bus.subscribe(orders.pattern, { group, concurrency, inFlightMax, retry }, async (message, { attempt }) => {
  ledger.note("delivered", message.id, group, attempt);
  if (orders.job === "die" && isPoison(message)) process.kill(process.pid, "SIGKILL");
  if (orders.job === "hold") {
    say({ started: message.id });
    await new Promise(() => undefined);
  }
  if (orders.job === "fail-once" && attempt === 1) throw new Error("as asked");
  if (orders.job === "wait") await told.opened;
  if (orders.job === "block") standStill(message);
  if (runMs > 0) await pause(runMs);
  ledger.note("handled", message.id, group, attempt);
});
say({ subscribed: true });
