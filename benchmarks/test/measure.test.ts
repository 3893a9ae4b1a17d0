import { expect, test } from "vitest";
import { checkLedger, handledBetween, measureThroughput, type PartPlan } from "../src/measure.ts";
import { relayParts } from "../src/scenarios/relay.ts";

const mark = (published: number, handled: number) => ({ atMs: 0, cpuMs: 0, published, handled });

test("a run in which a message was lost, doubled or skipped counts for nothing", () => {
  checkLedger(10, { handled: 10, duplicates: 0, missing: 0 });
  expect(() => checkLedger(10, { handled: 9, duplicates: 0, missing: 0 })).toThrow("handled 9");
  expect(() => checkLedger(10, { handled: 10, duplicates: 1, missing: 0 })).toThrow("twice 1");
  expect(() => checkLedger(10, { handled: 10, duplicates: 0, missing: 1 })).toThrow("missing 1");
});

test("neither a backlog from before the window nor one that is left after it counts", () => {
  expect(handledBetween(mark(100, 0), mark(200, 0), mark(0, 50), mark(0, 190))).toBe(100);
  expect(handledBetween(mark(100, 0), mark(300, 0), mark(0, 100), mark(0, 190))).toBe(90);
});

test("a part that fails ends the run with its reason, and no process is left", async () => {
  // The server says its port under a name that these do not look for.
  const plans = relayParts({ payloadBytes: 256, outstanding: 1, codec: "json" }).map((plan): PartPlan => ({ ...plan, part: `../dist/${plan.part}` }));
  const misnamed = plans.map((plan, index) => (index === 0 ? { ...plan, name: "elsewhere" } : plan));
  await expect(measureThroughput(misnamed, { warmupSeconds: 0.1, seconds: 0.1 })).rejects.toThrow(/^consumer failed: .*[Pp]ort/);
});
