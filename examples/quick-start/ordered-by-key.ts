/** Messages of one key one after the other, different keys side by side: an account's bookings stay in order while other accounts do not wait. */

import { setTimeout as sleep } from "node:timers/promises";
import { memory } from "@halyard/backend-memory";
import { createBus } from "@halyard/core";

const bus = await createBus({ backend: memory() });
const booked = new Map<string, string[]>();
let running = 0;
let runningMax = 0;

await bus.subscribe("booking.made", { group: "ledger", ordered: true, concurrency: 4 }, async ({ key = "", payload }) => {
  runningMax = Math.max(runningMax, ++running);
  await sleep(Math.random() * 10); // who is quick must not overtake
  booked.set(key, [...(booked.get(key) ?? []), String(payload)]);
  running--;
});

for (const step of ["open", "deposit", "withdraw", "close"]) {
  for (const account of ["anna", "ben", "cem"]) await bus.publish("booking.made", step, { key: account });
}
while ([...booked.values()].flat().length < 12) await sleep(5);
await bus.close();

for (const [account, steps] of [...booked].sort()) console.log(`${account}: ${steps.join(", ")}`);
console.log("accounts side by side:", runningMax > 1);
