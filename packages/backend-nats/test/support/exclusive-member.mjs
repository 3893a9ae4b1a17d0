/** A member of an exclusive group in a process of its own: says when it is there, and when each run of its handler begins and ends. */
import { setTimeout as sleep } from "node:timers/promises";
import { nats } from "@halyard/backend-nats";
import { createBus } from "@halyard/core";

const [url, namespace, ackWaitMs, runMs] = process.argv.slice(2);
const backend = nats({ url, ackWaitMs: Number(ackWaitMs), confirmTimeoutMs: 1_000, requestTimeoutMs: 2_000 });
const bus = await createBus({ backend, namespace });
const nowMs = () => performance.timeOrigin + performance.now();
await bus.subscribe("a.#", { group: "g", exclusive: true, ordered: true, concurrency: 4, inFlightMax: 20 }, async ({ payload, key }) => {
  process.send({ event: "begin", payload, key, atMs: nowMs() });
  await sleep(Number(runMs));
  process.send({ event: "end", payload, key, atMs: nowMs() });
});
process.send({ event: "ready" });
process.on("message", async () => {
  await bus.close();
  process.send({ event: "closed" });
  process.exit(0);
});
