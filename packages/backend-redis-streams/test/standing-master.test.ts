/** A master that stands still for longer than its sentinels wait: it is replaced, wakes up as a master of its own, and must have confirmed nothing alone. */
import { createBus, isHalyardError } from "@halyard/core";
import { startRedisSentinel } from "@halyard/testkit/brokers";
import { expect, it } from "vitest";
import { redisStreams } from "../src/index.ts";
import { until } from "./redis-fixture.ts";

const stoppedMs = 3_500;
/** So patient that what was sent while the master stood still is answered by the very same when it wakes: those answers must be refusals. */
const commandTimeoutMs = 10_000;

it("loses nothing that was confirmed when the master is stopped for 3.5 s and replaced meanwhile", { timeout: 120_000 }, async () => {
  await using cluster = await startRedisSentinel({ minReplicasToWrite: 1 });
  const sentinels = cluster.sentinels.map(({ host, port }) => ({ host, port }));
  const options = { sentinels, name: cluster.name, confirm: "replicated", leaseMs: 2_000, commandTimeoutMs, blockMs: 500 } as const;
  const bus = await createBus({ backend: redisStreams(options), namespace: "standing", limits: { publishTimeoutMs: 40_000 } });
  const consumer = await createBus({ backend: redisStreams({ ...options, commandTimeoutMs: 1_000 }), namespace: "standing" }); // its reads would notice
  const handled = new Set<string>();
  const confirmed = new Set<string>();
  const failed: unknown[] = [];
  await consumer.subscribe("a.#", { group: "g", concurrency: 10 }, ({ id }) => void handled.add(id));
  let isOver = false;
  const publishing = (async () => {
    const open: Promise<unknown>[] = [];
    for (let index = 0; !isOver; index++) {
      const id = `m${index}`;
      open.push(
        bus.publish("a.b", index, { id }).then(
          () => confirmed.add(id),
          (error: unknown) => failed.push(error),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(open);
  })();
  await until(() => confirmed.size > 200, "publishes flow");
  const old = await cluster.master();
  old.pause();
  await new Promise((resolve) => setTimeout(resolve, stoppedMs));
  old.resume();
  const before = confirmed.size;
  await until(async () => (await cluster.master()).port !== old.port, "another master was chosen", 40_000);
  await until(() => confirmed.size > before + 200, "publishes flow again", 40_000);
  isOver = true;
  await publishing;
  const missing = (): readonly string[] => [...confirmed].filter((id) => !handled.has(id));
  await until(() => missing().length === 0, "everything that was confirmed is handled", 40_000).catch(() => undefined);
  expect(missing()).toEqual([]);
  expect(failed.filter((error) => !isHalyardError(error, "PUBLISH_UNKNOWN"))).toEqual([]);
  expect(await bus.deadLetters("g").count()).toBe(0);
  await Promise.all([consumer.close(), bus.close()]);
});
