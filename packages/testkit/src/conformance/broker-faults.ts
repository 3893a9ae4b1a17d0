/** The broker-fault suite as vitest runs it: a real broker, killed, restarted, paused, full, and consumers that are killed. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { Broker } from "../brokers/broker.ts";
import { balanceText } from "./broker-faults/balance.ts";
import type { BrokerWorld } from "./broker-faults/broker-world.ts";
import { brokerCases } from "./broker-faults/cases/index.ts";
import type { BrokerUnderTest } from "./broker-faults/place.ts";
import { brokerCaseDeadlineMs, runBrokerCase } from "./broker-faults/run-broker-case.ts";
import { type LedgerTotals, Report } from "./report.ts";
import { type Facts, freshNamespace, learnFacts } from "./run-case.ts";

export interface BrokerFaultOptions<Kind extends Broker = Broker> extends BrokerUnderTest<Kind> {
  /** Only these promises, while working on them. */
  readonly only?: readonly number[];
}

const startMsMax = 120_000;
const cleanupMs = 60_000;

/**
 * Asks a backend what its promises are worth while its broker dies, restarts, stands still and runs out of room, and while consumers are killed. A ledger
 * on disk decides: what was accepted must be handled or dead, and no more may be handled twice than was under way. Call it in a vitest file of its own.
 *
 * @example
 * describeBrokerFaults("redis-streams", {
 *   start: () => startRedis({ isOwned: true }),
 *   create: ({ broker }) => redisStreams(broker.url),
 *   processes: { module: new URL("./backend.mjs", import.meta.url) },
 * });
 */
export function describeBrokerFaults<Kind extends Broker>(name: string, options: BrokerFaultOptions<Kind>): void {
  const results: Result[] = [];
  const report = new Report({ backend: name, part: "broker-faults" });
  // Cases know brokers in general; each hook gets back the very broker that `start` returned.
  const subject = options as BrokerUnderTest<Broker> & BrokerFaultOptions<Kind>;
  let broker: Kind | undefined;
  let facts: Facts | undefined;
  describe(`${name}: broker faults`, () => {
    beforeAll(async () => {
      broker = await options.start();
      const place = { namespace: freshNamespace(), broker };
      facts = await learnFacts({ create: () => options.create(place) });
    }, startMsMax);
    afterAll(async () => {
      await broker?.stop();
      tell(name, results);
      const folder = process.env.HALYARD_REPORT_DIR;
      if (folder === undefined || facts === undefined || options.only !== undefined) return;
      writeLedgers(folder, name, results);
      report.write(folder, facts.capabilities, totalsOf(results));
    }, cleanupMs);
    for (const one of brokerCases) {
      if (options.only?.includes(one.promise) === false) continue;
      const title = `promise ${one.promise}: ${one.title}`;
      it(title, { timeout: brokerCaseDeadlineMs + cleanupMs }, async (context) => {
        if (broker === undefined || facts === undefined) throw new Error("the broker could not be connected to");
        const reason = broker.isOwned ? one.needs?.(facts.capabilities, subject) : "the broker was running before, and is not ours to kill";
        if (reason !== undefined) {
          report.exclude(one, reason, facts.capabilities);
          context.skip(reason);
        }
        let kills = 0;
        const onEnd = (balances: BrokerWorld["balances"], count: number): void => {
          results.push({ title, balances });
          kills = count;
        };
        try {
          await runBrokerCase(one, subject, broker, { onEnd });
          report.pass(one);
          report.of(one.promise).kills += kills;
        } catch (error) {
          report.of(one.promise).failed++;
          throw error;
        }
      });
    }
  });
}

interface Result {
  readonly title: string;
  readonly balances: BrokerWorld["balances"];
}

function tell(name: string, results: readonly Result[]): void {
  for (const { title, balances } of results)
    for (const { balance, duplicatesMax } of balances) console.info(`${name}: ${title}: ${balanceText(balance)} (duplicates at most ${duplicatesMax})`);
}

function writeLedgers(folder: string, name: string, results: readonly Result[]): void {
  mkdirSync(join(folder, "broker-faults"), { recursive: true });
  writeFileSync(join(folder, "broker-faults", `${name}.json`), `${JSON.stringify({ backend: name, results }, undefined, 2)}\n`);
}

function totalsOf(results: readonly Result[]): LedgerTotals {
  const all = results.flatMap(({ balances }) => balances);
  const sum = (of: (one: (typeof all)[number]) => number): number => all.reduce((total, one) => total + of(one), 0);
  return {
    accepted: sum(({ balance }) => balance.accepted),
    handled: sum(({ balance }) => balance.handled),
    dead: sum(({ balance }) => balance.dead),
    duplicates: sum(({ balance }) => balance.duplicates),
    duplicatesMax: sum(({ duplicatesMax }) => duplicatesMax),
    lost: sum(({ balance }) => balance.lost.length),
  };
}
