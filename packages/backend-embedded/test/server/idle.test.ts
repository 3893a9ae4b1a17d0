import { beforeEach, describe, expect, test } from "vitest";
import { watchIdle } from "../../src/server/idle.ts";
import { ManualClock } from "../support/manual-clock.ts";

describe("an idle server", () => {
  let clock: ManualClock;
  let connections: number;
  let held: number;
  let ended: number;

  beforeEach(() => {
    clock = new ManualClock();
    [connections, held, ended] = [0, 0, 0];
    watchIdle({ idleMs: 60_000, waitingIdleMs: 600_000, clock, connections: () => connections, held: () => held, onIdle: () => void ended++ });
  });

  test("that holds nothing ends after the idle time, once", () => {
    clock.advance(59_000);
    expect(ended).toBe(0);
    clock.advance(2_000);
    expect(ended).toBe(1);
    clock.advance(600_000);
    expect(ended).toBe(1);
  });

  test("begins to count anew when a client was there", () => {
    clock.advance(55_000);
    connections = 1;
    clock.advance(10_000);
    connections = 0;
    clock.advance(58_000);
    expect(ended).toBe(0);
    clock.advance(3_000);
    expect(ended).toBe(1);
  });

  test("that holds something stays for the longer time", () => {
    held = 3;
    clock.advance(598_000);
    expect(ended).toBe(0);
    clock.advance(3_000);
    expect(ended).toBe(1);
  });

  test("does not end early when the clocks jump, as after a sleep of the machine", () => {
    clock.advance(10_000);
    clock.wallMs += 86_400_000;
    clock.jump(86_400_000);
    clock.advance(1);
    expect(ended).toBe(0);
    clock.advance(40_000);
    expect(ended).toBe(0);
    clock.advance(20_000);
    expect(ended).toBe(1);
  });
});
