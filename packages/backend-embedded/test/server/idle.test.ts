import type { Clock } from "@halyard/core/spi";
import { type ManualClock, manualClock } from "@halyard/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { watchIdle } from "../../src/server/idle.ts";

describe("an idle server", () => {
  let clock: ManualClock;
  /** How long the machine has slept: time that both clocks show, and in which no timer fired. */
  let asleepMs: number;
  let connections: number;
  let held: number;
  let ended: number;

  beforeEach(() => {
    clock = manualClock();
    [asleepMs, connections, held, ended] = [0, 0, 0, 0];
    const machine: Clock = { nowMs: () => clock.nowMs() + asleepMs, monotonicMs: () => clock.monotonicMs() + asleepMs, after: clock.after };
    watchIdle({ idleMs: 60_000, waitingIdleMs: 600_000, clock: machine, connections: () => connections, held: () => held, onIdle: () => void ended++ });
  });

  test("that holds nothing ends after the idle time, once", async () => {
    await clock.advance(59_000);
    expect(ended).toBe(0);
    await clock.advance(2_000);
    expect(ended).toBe(1);
    await clock.advance(600_000);
    expect(ended).toBe(1);
  });

  test("begins to count anew when a client was there", async () => {
    await clock.advance(55_000);
    connections = 1;
    await clock.advance(10_000);
    connections = 0;
    await clock.advance(58_000);
    expect(ended).toBe(0);
    await clock.advance(3_000);
    expect(ended).toBe(1);
  });

  test("that holds something stays for the longer time", async () => {
    held = 3;
    await clock.advance(598_000);
    expect(ended).toBe(0);
    await clock.advance(3_000);
    expect(ended).toBe(1);
  });

  test("does not end early when the clocks jump, as after a sleep of the machine", async () => {
    await clock.advance(10_000);
    clock.stepWallClock(86_400_000);
    asleepMs = 86_400_000;
    await clock.advance(1);
    expect(ended).toBe(0);
    await clock.advance(40_000);
    expect(ended).toBe(0);
    await clock.advance(20_000);
    expect(ended).toBe(1);
  });
});
