/** Promise 24: passwords never appear in errors, logs or events. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { createBus, type Logger } from "@halyard/core";
import type { ConformanceCase } from "../case.ts";
import type { World } from "../world.ts";

/** Where the suite names no secret, the case still shows that these words, put into what users hand over, come back nowhere. */
const planted = "kit-secret-payload";

function collector(): { readonly lines: string[]; readonly logger: Logger } {
  const lines: string[] = [];
  const write = (details: object, message: string): void => void lines.push(`${message} ${inspect(details, { depth: 8 })}`);
  return { lines, logger: { debug: write, info: write, warn: write, error: write } };
}

function assertClean(world: World, lines: readonly string[]): void {
  for (const secret of [...world.secrets, planted]) {
    const line = lines.find((text) => text.includes(secret));
    assert.equal(line, undefined, `a secret appeared in: ${line?.replaceAll(secret, "***")}`);
  }
}

export const secretCases: readonly ConformanceCase[] = [
  {
    promise: 24,
    title: "a life with failures and broken connections logs and reports no secret",
    kind: "normal",
    async run(world) {
      const { lines, logger } = collector();
      const bus = await world.bus({ logger });
      for (const event of ["connection-loss", "connection-failure", "warning", "gap", "recreation"] as const) {
        bus.on(event, (value) => void lines.push(inspect(value, { depth: 8 })));
      }
      let opens = 0;
      bus.on("connection-open", () => void opens++);
      await bus.subscribe("x.#", { group: "g" }, () => undefined);
      await bus.publish("x.one", planted).catch((error: unknown) => lines.push(inspect(error, { depth: 8 })));
      assertClean(world, lines);
      world.breakOff(bus);
      await bus.publish("x.one", planted, { timeoutMs: 200 }).catch((error: unknown) => lines.push(inspect(error, { depth: 8 })));
      lines.push(inspect(await bus.health({ timeoutMs: 200 }), { depth: 8 }));
      world.restore(bus);
      await world.until(() => opens > 0, "it reconnects");
      lines.push(inspect(await bus.inspect(), { depth: 8 }), inspect(bus, { depth: 2 }));
      assertClean(world, lines);
    },
  },
  {
    promise: 24,
    title: "an error of connecting shows no secret, nor does its cause",
    kind: "limit",
    async run(world) {
      const lines: string[] = [];
      const { logger } = collector();
      const backend = (await world.subject.wrongCredentials?.({ namespace: world.namespace, proxy: undefined })) ?? (await world.backend());
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 50);
      const creating = createBus({ backend, namespace: world.namespace, logger, signal: controller.signal, limits: { startTimeoutMs: 1_000 } });
      await creating.then(
        (bus) => bus.close(),
        (error: unknown) => lines.push(inspect(error, { depth: 8, showHidden: true }), String(error), JSON.stringify(error)),
      );
      lines.push(inspect(backend, { depth: 4 }), JSON.stringify(backend));
      assertClean(world, lines);
    },
  },
];
