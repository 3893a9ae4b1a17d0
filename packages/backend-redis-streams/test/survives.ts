/** A bus at work while the master dies. */
import { createBus } from "@halyard/core";
import type { Backend } from "@halyard/core/spi";
import type { Broker } from "@halyard/testkit/brokers";
import { until } from "./redis-fixture.ts";

export const impatient = { leaseMs: 2_000, commandTimeoutMs: 1_000, blockMs: 500 } as const;
export const addressesOf = (nodes: readonly Broker[]) => nodes.map(({ host, port }) => ({ host, port }));

/** Everything that was accepted is handled, retries included, and live copies come again. */
export async function survives(backend: Backend, namespace: string, killMaster: () => Promise<void>): Promise<void> {
  const bus = await createBus({ backend, namespace, limits: { publishTimeoutMs: 40_000 } });
  const handled = new Set<unknown>();
  const live = new Set<unknown>();
  await bus.subscribe("a.#", { group: "g", concurrency: 10, retry: { delayMs: 50 } }, ({ payload }, { attempt }) => {
    if (attempt === 1 && Number(payload) % 10 === 0) throw new Error("once");
    handled.add(payload);
  });
  await bus.subscribe("a.#", {}, ({ payload }) => void live.add(payload));
  for (let index = 0; index < 50; index++) await bus.publish("a.b", index);
  await until(() => live.size === 50, "live copies arrive before");
  const publishing = (async () => {
    for (let index = 50; index < 250; index++) await bus.publish("a.b", index);
  })();
  publishing.catch(() => undefined); // awaited below
  await killMaster();
  await publishing;
  await until(() => handled.size === 250, `all are handled; ${handled.size} were`, 40_000);
  const before = live.size;
  await until(async () => {
    await bus.publish("a.c", `later-${before}`);
    return live.has(`later-${before}`);
  }, "live copies arrive again");
  await bus.close();
}
