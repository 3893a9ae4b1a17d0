/** Topics with types: publish and subscribe know their payloads, a wildcard gets the union, and a schema checks at run time. */
import { memory } from "@halyard/backend-memory";
import { createBus, defineTopics, isHalyardError, type StandardSchemaV1, type } from "@halyard/core";

/** Any Standard Schema does: zod, valibot, arktype, or a few lines like these. */
const temperature: StandardSchemaV1<{ celsius: number }> = {
  "~standard": {
    version: 1,
    vendor: "example",
    validate: (value) => {
      const isValid = typeof value === "object" && value !== null && "celsius" in value && typeof value.celsius === "number" && value.celsius >= -273.15;
      return isValid ? { value: value as { celsius: number } } : { issues: [{ message: "must be a temperature above absolute zero", path: ["celsius"] }] };
    },
  },
};

const topics = defineTopics({
  "sensor.*.temperature": temperature,
  "sensor.*.door": type<{ isOpen: boolean }>(),
});
const bus = await createBus({ backend: memory(), topics });

// The payload is { celsius: number } | { isOpen: boolean }: exactly what the pattern can match.
await bus.subscribe("sensor.kitchen.*", { group: "kitchen" }, ({ topic, payload }) => {
  console.log(topic, "celsius" in payload ? `${payload.celsius} °C` : payload.isOpen ? "open" : "closed");
});

await bus.publish("sensor.kitchen.temperature", { celsius: 21 });
await bus.publish("sensor.kitchen.door", { isOpen: true });
// @ts-expect-error The compiler refuses it: a door has no temperature.
void (() => bus.publish("sensor.kitchen.door", { celsius: 21 }));

try {
  await bus.publish("sensor.kitchen.temperature", { celsius: -300 });
} catch (error) {
  if (isHalyardError(error, "INVALID_PAYLOAD")) console.log("refused:", error.message);
}
await bus.close();
