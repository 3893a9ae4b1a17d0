import type { Scenario } from "../scenario.ts";
import { brokerLatency } from "./broker-latency.ts";
import { brokerThroughput } from "./broker-throughput.ts";
import { embeddedLatency } from "./embedded-latency.ts";
import { embeddedLarger, embeddedThroughput } from "./embedded-throughput.ts";
import { memoryJson } from "./memory-json.ts";
import { memoryReference } from "./memory-reference.ts";

/** In the order of the table. */
export const scenarios: readonly Scenario[] = [
  memoryJson,
  memoryReference,
  embeddedThroughput,
  embeddedLarger,
  embeddedLatency,
  ...brokerThroughput,
  ...brokerLatency,
];
