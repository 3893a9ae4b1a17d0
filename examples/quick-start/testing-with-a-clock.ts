/** A test that would take ten minutes takes milliseconds: the bus runs on a clock that the test advances. */
import assert from "node:assert/strict";
import { memory } from "@halyard/backend-memory";
import { createTestBus } from "@halyard/testkit";

const bus = await createTestBus({ backend: memory() });
let attempts = 0;
await bus.subscribe("mail.wanted", { group: "mailers", retry: { attemptsMax: 5, delayMs: 60_000, delayMsMax: 600_000 } }, () => {
  attempts++;
  if (attempts < 4) throw new Error("the mail server is away");
});

await bus.publish("mail.wanted", { to: "ada@example.org" });
await bus.settled();
assert.equal(attempts, 1);

await bus.advance(59_000);
assert.equal(attempts, 1); // never before its time

await bus.advance(10 * 60_000);
await bus.settled();
console.log("attempts:", attempts);
console.log("waited between them:", bus.retried.map(({ delayMs }) => `${delayMs / 60_000} min`).join(", "));
console.log("handled:", bus.handled.length, "dead letters:", bus.deadLettered.length);
await bus.close();
