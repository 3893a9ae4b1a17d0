import { expect, test } from "vitest";
import { Ticker, tickMs } from "../src/ticker.ts";
import { ManualClock } from "./manual-clock.ts";

test("one timer for all watches, none when nobody watches", async () => {
  const clock = new ManualClock();
  const ticker = new Ticker(clock);
  const seen: string[] = [];
  let isOver = false;
  const first = (): boolean => {
    seen.push("first");
    return !isOver;
  };
  ticker.add(first);
  ticker.add(first);
  ticker.add((nowMs) => {
    seen.push(`second at ${nowMs}`);
    return false;
  });
  expect(clock.timers).toBe(1);
  await clock.advance(tickMs);
  expect(seen).toEqual(["first", `second at ${tickMs}`]);
  await clock.advance(tickMs);
  expect(seen.slice(2)).toEqual(["first"]);
  isOver = true;
  await clock.advance(tickMs);
  expect(clock.timers).toBe(0);
  ticker.add(() => true);
  expect(clock.timers).toBe(1);
  ticker.close();
  expect(clock.timers).toBe(0);
});

test("a watch may add another while it is asked", async () => {
  const clock = new ManualClock();
  const ticker = new Ticker(clock);
  let asked = 0;
  ticker.add(() => {
    ticker.add(() => {
      asked++;
      return false;
    });
    return false;
  });
  await clock.advance(2 * tickMs);
  expect([asked, clock.timers]).toEqual([1, 0]);
});

test("tells of a stall while something is watched, before the late tick and shortly after it", async () => {
  const clock = new ManualClock();
  const ticker = new Ticker(clock);
  clock.stall(5_000);
  expect(ticker.hasJustStalled()).toBe(false); // nobody watched
  ticker.add(() => true);
  expect(ticker.hasJustStalled()).toBe(false);
  clock.stall(1_100);
  expect(ticker.hasJustStalled()).toBe(true);
  await clock.advance(0);
  expect(ticker.hasJustStalled()).toBe(true);
  await clock.advance(1_000);
  expect(ticker.hasJustStalled()).toBe(false);
});

test("what began before it was added may be what the process stood still in", async () => {
  const clock = new ManualClock();
  const ticker = new Ticker(clock);
  clock.stall(3_000);
  ticker.add(() => true, clock.monotonicMs() - 3_000);
  expect(ticker.hasJustStalled()).toBe(true);
});
