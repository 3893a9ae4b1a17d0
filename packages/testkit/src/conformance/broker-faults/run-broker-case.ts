/** Runs one broker-fault case in a world of its own, within a deadline, and makes its failure name its promise. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Broker } from "../../brokers/broker.ts";
import type { FaultyBackend } from "../../faulty/faulty-backend.ts";
import { pause } from "../recorder.ts";
import { freshNamespace } from "../run-case.ts";
import type { BrokerCase } from "./broker-case.ts";
import { BrokerWorld } from "./broker-world.ts";
import type { BrokerUnderTest } from "./place.ts";

/** Several starts of RabbitMQ on a busy machine fit in. */
export const brokerCaseDeadlineMs = 180_000;
/** `world.until`, milliseconds. */
const untilDeadlineMs = 60_000;

export interface BrokerRunOptions {
  /** Of the whole case; `until` gets a third of it at most. Default 180,000 ms. */
  readonly deadlineMs?: number;
  /** Breaks the backend, for the proof of the suite. */
  readonly faulty?: FaultyBackend;
  /** Gets the balances and the kills also when the case fails. */
  readonly onEnd?: (balances: BrokerWorld["balances"], kills: number) => void;
}

/** Rejects with an error whose message begins with `promise N: `. */
export async function runBrokerCase(
  one: BrokerCase,
  subject: BrokerUnderTest,
  broker: Broker,
  { deadlineMs = brokerCaseDeadlineMs, faulty, onEnd }: BrokerRunOptions = {},
): Promise<void> {
  const world = new BrokerWorld(subject, broker, {
    namespace: freshNamespace(),
    directory: mkdtempSync(join(tmpdir(), "halyard-ledger-")),
    deadlineMs: Math.min(untilDeadlineMs, deadlineMs / 3),
    faulty,
  });
  const over = new AbortController();
  const overtime = pause(deadlineMs, over.signal).then(() => {
    throw new Error("the case did not end within its deadline");
  });
  overtime.catch(() => undefined); // also rejects when the case has ended by itself
  try {
    await Promise.race([one.run(world), overtime]);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    error.message = `promise ${one.promise}: ${error.message}`;
    throw error;
  } finally {
    over.abort();
    onEnd?.(world.balances, world.kills);
    await world.end();
  }
}
