/** What throws is retried with backoff; what fails for good is a dead letter that can be read, repaired and tried again. */
import { setTimeout as sleep } from "node:timers/promises";
import { memory } from "@halyard/backend-memory";
import { createBus, defineTopics, nonRetryable, type } from "@halyard/core";

const topics = defineTopics({ "payment.wanted": type<{ amount: number; bank: "open" | "slow" | "closed" }>() });
const bus = await createBus({ backend: memory(), topics, retry: { attemptsMax: 3, delayMs: 10 } });
const deadLetters = bus.deadLetters("cashiers");
let paid = 0;

await bus.subscribe("payment.wanted", { group: "cashiers" }, ({ payload: { amount, bank } }, { attempt }) => {
  if (amount <= 0) throw nonRetryable(new Error(`an amount of ${amount} is never right`)); // no retry can help
  if (bank === "closed") throw new Error("the bank is closed");
  if (bank === "slow" && attempt < 3) throw new Error("the bank does not answer"); // the third attempt gets through
  console.log(`paid ${amount} at attempt ${attempt}`);
  paid += amount;
});
bus.on("retry", ({ attempt, error }) => console.log(`attempt ${attempt} failed: ${String(error)}`));

await bus.publish("payment.wanted", { amount: 5, bank: "slow" });
while (paid < 5) await sleep(1);
await bus.publish("payment.wanted", { amount: -1, bank: "open" });
while ((await deadLetters.count()) < 1) await sleep(1);
await bus.publish("payment.wanted", { amount: 7, bank: "closed" });
while ((await deadLetters.count()) < 2) await sleep(1);

for (const { error, attempts, reason } of await deadLetters.list()) console.log(`dead after ${attempts} attempts (${reason}): ${error?.message}`);

// A person, or a program, decides about each: the closed bank is replaced, the senseless amount goes.
await deadLetters.handle(({ reason }) => (reason === "attempts" ? { redrive: { payload: { amount: 7, bank: "open" } } } : "remove"));
while (paid < 12) await sleep(1);
console.log("dead letters left:", await deadLetters.count());
await bus.close();
