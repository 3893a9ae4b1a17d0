import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemClock } from "../src/clock.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const dayMs = 86_400_000;

test.for([1, 250.5, 30 * dayMs, 100 * dayMs])("a timer of %d ms fires once and not before", (delayMs) => {
  const run = vi.fn();
  systemClock.after(delayMs, run);
  vi.advanceTimersByTime(Math.ceil(delayMs) - 1);
  expect(run).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(200 * dayMs);
  expect(run).toHaveBeenCalledTimes(1);
});

test("a delay just above 2^31 ms does not fire at once", () => {
  const run = vi.fn();
  systemClock.after(2 ** 31 + 5, run);
  vi.advanceTimersByTime(2 ** 31 + 4);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
});

test("cancelling works before the first part of a long delay, and after it", () => {
  const run = vi.fn();
  systemClock.after(60 * dayMs, run)();
  const cancel = systemClock.after(60 * dayMs, run);
  vi.advanceTimersByTime(30 * dayMs);
  cancel();
  cancel();
  vi.advanceTimersByTime(100 * dayMs);
  expect(run).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

test("a step of the wall clock moves no timer", () => {
  const run = vi.fn();
  systemClock.after(10_000, run);
  vi.setSystemTime(systemClock.nowMs() - 3_600_000);
  vi.advanceTimersByTime(9_999);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
});

test.for([0, -5])("a delay of %d ms fires as soon as possible, later than the caller", (delayMs) => {
  const run = vi.fn();
  systemClock.after(delayMs, run);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
});
