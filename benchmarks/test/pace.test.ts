import { expect, test } from "vitest";
import { latenciesMs, paced } from "../src/pace.ts";
import { machineMs } from "../src/questions.ts";

test("messages leave when they are meant to, also after a stall", async () => {
  const sentMs: number[] = [];
  const result = await paced({ perSecond: 500, seconds: 0.1 }, (index) => {
    sentMs.push(machineMs());
    const stallUntilMs = index === 10 ? machineMs() + 20 : 0;
    while (machineMs() < stallUntilMs);
  });
  expect(result.published).toBe(50);
  expect(sentMs).toHaveLength(50);
  for (const [index, atMs] of sentMs.entries()) expect(atMs).toBeGreaterThanOrEqual(result.startMs + index * result.intervalMs);
});

test("latency counts from the moment a message was meant for, so that a stall shows in all that it delayed", () => {
  const result = { startMs: 1_000, intervalMs: 10, published: 4 };
  // The second message stalled the sender for 15 ms: the third left late, although its own way took 1 ms.
  expect(latenciesMs(result, [1_001, 1_011, 1_026, 1_031], 0)).toEqual([1, 1, 6, 1]);
});

test("messages of the warm-up and messages that never came are left out", () => {
  const result = { startMs: 0, intervalMs: 10, published: 4 };
  expect(latenciesMs(result, [5, 15, 0, 32], 1)).toEqual([5, 2]);
});
