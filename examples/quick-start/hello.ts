/** A bus, a group of workers, a message. It runs in one process; with `embedded()` instead of `memory()` it runs over several. */
import { setTimeout as sleep } from "node:timers/promises";
import { memory } from "@halyard/backend-memory";
import { createBus } from "@halyard/core";

const bus = await createBus({ backend: memory() });

let isCompleted = false;

await bus.subscribe("task.completed.*", { group: "watchers" }, (message) => {
  console.log("completed:", message.payload);
  isCompleted = true;
});

await bus.subscribe("task.submitted.*", { group: "workers", concurrency: 8 }, async (message, context) => {
  console.log("working on", message.payload, "at priority", message.priority);
  await context.publish("task.completed.normal", message.payload);
}); // returned: acknowledged · threw: retried with backoff, then a dead letter

await bus.publish("task.submitted.high", { id: "t1" }, { priority: "high", ttlMs: 60_000, key: "t1" });
while (!isCompleted) await sleep(1);
await bus.close();
