/** Subscriptions that were closed, and connections that never get far: promises 18 and 23. */
import assert from "node:assert/strict";
import { createBus } from "@halyard/core";
import type { Backend } from "@halyard/core/spi";
import { faultProxy } from "../../../fault-proxy.ts";
import { numbers, pause } from "../../recorder.ts";
import { behind } from "../behind.ts";
import type { BrokerCase } from "../broker-case.ts";

/** For what was closed to come back, if it should. */
const listenMs = 300;

const busesCut = 25;
const cuts = 100;
/** Every connection lives shorter than this. */
const lifeMsMax = 5;
/** A bus that waits 100 ms, then twice as long each time, tries no oftener; half of them by chance sooner. */
const triesMax = (durationMs: number): number => 4 + 2 * Math.ceil(Math.log2(1 + durationMs / 100));

export const subscriptionCases: readonly BrokerCase[] = [
  {
    promise: 18,
    title: "what was unsubscribed before or during a restart of the broker stays silent after it",
    async run(world) {
      const bus = await world.bus();
      let unwanted = 0;
      const hear = (): void => void unwanted++;
      const before = [await bus.subscribe("b.#", { group: "left" }, hear), await bus.subscribe("b.#", {}, hear)];
      const during = [await bus.subscribe("b.#", { group: "leaving" }, hear), await bus.subscribe("b.#", {}, hear)];
      await world.consume(bus, { group: "g" });
      await Promise.all(before.map((subscription) => subscription.close()));
      let losses = 0;
      bus.on("connection-loss", () => void losses++);
      const restart = world.strike(() => world.broker.restart());
      await world.until(() => losses > 0, "the connection is lost");
      await Promise.all([...during.map((subscription) => subscription.close()), restart]);
      await world.assertFlows(bus, "g");
      await Promise.all(numbers(20).map((index) => world.publish(bus, `m${index}`)));
      await world.closes(bus, "g");
      await pause(listenMs);
      assert.equal(unwanted, 0, "a closed subscription came back");
      for (const group of ["left", "leaving"]) {
        const info = await bus.groups.get(group);
        assert.ok((info?.members ?? 0) === 0, `group ${group} has ${info?.members} members`);
      }
    },
  },
  {
    promise: 18,
    title: `${cuts} connections cut within ${lifeMsMax} ms: every bus comes back, without a hot loop or a leak`,
    async run(world) {
      const proxy = await faultProxy({ target: { port: world.broker.port } });
      const cutting = setInterval(() => (proxy.accepted % 2 === 0 ? proxy.cut() : proxy.reset()), lifeMsMax - 1);
      const startMs = performance.now();
      const tries: number[] = [];
      try {
        const creating = numbers(busesCut).map(async (index) => {
          const backend = await world.backend(behind(proxy.port, world.broker));
          tries[index] = 0;
          const counting: Backend = {
            ...backend,
            connect(host, signal) {
              tries[index] = (tries[index] ?? 0) + 1;
              return backend.connect(host, signal);
            },
          };
          return createBus({ backend: counting, ...world.subject.busOptions, namespace: world.namespace });
        });
        const created = Promise.all(creating);
        created.catch(() => undefined); // awaited below
        await world.until(() => proxy.accepted >= cuts, `${cuts} connections are made`);
        const durationMs = performance.now() - startMs;
        assert.ok(Math.max(...tries) <= triesMax(durationMs), `a hot loop: ${tries.join(", ")} tries within ${Math.round(durationMs)} ms`);
        clearInterval(cutting);
        const buses = await created;
        await world.consume(await world.bus(), { group: "g" });
        for (const bus of buses) await world.assertFlows(bus, "g");
        await Promise.all(buses.map((bus) => bus.close()));
        await world.until(
          () => proxy.connections === 0,
          () => `${proxy.connections} connections are left of ${proxy.accepted}`,
        );
        await world.closes(await world.bus(), "g");
      } finally {
        clearInterval(cutting);
        await proxy.close();
      }
    },
  },
];
