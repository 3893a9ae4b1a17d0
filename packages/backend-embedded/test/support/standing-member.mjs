// A member that stands still with its whole process at the first message that says so, and says what it handled and what was refused.
import { embedded } from "@halyard/backend-embedded";
import { createBus } from "@halyard/core";

const { port, heartbeatMs } = JSON.parse(process.argv[2]);
const bus = await createBus({ backend: embedded({ port, heartbeatMs, autoStart: false }), namespace: "standing" });
let hasStood = false;
await bus.subscribe("a.#", { group: "g", concurrency: 2, inFlightMax: 4 }, async ({ payload }) => {
  if (payload.blockMs !== undefined && !hasStood) {
    hasStood = true;
    process.send({ blocking: true });
    await new Promise((resolve) => setTimeout(resolve, 20)); // so that this is read before
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, payload.blockMs);
  }
  if (payload.untilTold && !hasStood) {
    hasStood = true;
    process.send({ holding: true });
    await new Promise((resolve) => process.once("message", resolve));
  }
  process.send({ handled: payload.name });
});
process.on("message", () => {
  const { stale, leasesLost } = bus.metrics();
  process.send({ refused: stale + leasesLost });
});
process.send({ subscribed: true });
