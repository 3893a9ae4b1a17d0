import { expect, test } from "vitest";
import { HubTime } from "../src/hub-time.ts";
import { StillClock } from "./sample.ts";

test("time goes on where it stopped when another session's clock takes over, whatever its origin", () => {
  const [first, second] = [new StillClock(1_000), new StillClock(50)];
  const time = new HubTime(first);
  time.add(first);
  time.add(second);
  first.advance(500);
  expect(time.now().monotonicMs).toBe(1_500);
  expect(time.remove(first)).toBe(true);
  expect(time.now().monotonicMs).toBe(1_500);
  second.advance(70);
  expect(time.now().monotonicMs).toBe(1_570);
});

test("a clock that several sessions share goes on while one of them lives", () => {
  const clock = new StillClock();
  const time = new HubTime(clock);
  time.add(clock);
  time.add(clock);
  expect(time.remove(clock)).toBe(false);
  clock.advance(10);
  expect(time.now().monotonicMs).toBe(10);
});

test("time that passes while nobody is there has passed for whoever comes with the same clock", () => {
  const clock = new StillClock();
  const time = new HubTime(clock);
  time.add(clock);
  time.remove(clock);
  clock.advance(99);
  time.add(clock);
  expect(time.now().monotonicMs).toBe(99);
});
