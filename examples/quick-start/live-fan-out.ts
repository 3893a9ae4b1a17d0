/** Without a group every subscriber gets its own copy of what is published while it is there; with one, members share the work. */
import { memory } from "@halyard/backend-memory";
import { createBus } from "@halyard/core";

const backend = memory();
const [shop, screen, printer] = await Promise.all([createBus({ backend }), createBus({ backend }), createBus({ backend })]);
const seen = { screen: 0, printer: 0, packers: 0 };

await screen.subscribe("order.#", () => void seen.screen++);
await printer.subscribe("order.placed", () => void seen.printer++);
await screen.subscribe("order.placed", { group: "packers" }, () => void seen.packers++);
await printer.subscribe("order.placed", { group: "packers" }, () => void seen.packers++);

for (let number = 1; number <= 10; number++) await shop.publish("order.placed", { number });
await shop.publish("order.cancelled", { number: 3 });

while (seen.screen < 11 || seen.printer < 10 || seen.packers < 10) await new Promise((resolve) => setImmediate(resolve));
await Promise.all([shop, screen, printer].map((bus) => bus.close()));
console.log(seen);
