import { expect, test } from "vitest";
import { manualClock } from "../src/manual-clock.ts";

test("time stands still until it is advanced", async () => {
  const clock = manualClock({ startMs: 1_000 });
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1_000, 0]);
  await clock.advance(250);
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1_250, 250]);
});

test("timers fire when they are due, in the order of due time and then of setting, each at its own moment", async () => {
  const clock = manualClock({ startMs: 0 });
  const fired: string[] = [];
  for (const [name, delayMs] of [
    ["c", 30],
    ["a", 10],
    ["b1", 20],
    ["b2", 20],
    ["late", 31],
  ] as const)
    clock.after(delayMs, () => fired.push(`${name}@${clock.nowMs()}`));
  await clock.advance(9);
  expect(fired).toEqual([]);
  await clock.advance(21);
  expect(fired).toEqual(["a@10", "b1@20", "b2@20", "c@30"]);
  expect([clock.timers, clock.nextTimerMs]).toEqual([1, 1]);
});

test("what a timer starts, promises and turns of the event loop included, gets ahead before the next timer", async () => {
  const clock = manualClock();
  const order: string[] = [];
  clock.after(10, () => {
    void (async () => {
      for (let step = 0; step < 20; step++) await Promise.resolve();
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      order.push("work of the first");
    })();
  });
  clock.after(10.5, () => order.push("second"));
  await clock.advance(20);
  expect(order).toEqual(["work of the first", "second"]);
});

test("timers that timers set count within the same advance, and a cancelled one never fires", async () => {
  const clock = manualClock();
  const fired: number[] = [];
  const tick = (): void => {
    fired.push(clock.monotonicMs());
    if (fired.length < 5) clock.after(10, tick);
  };
  clock.after(10, tick);
  const cancel = clock.after(15, () => fired.push(-1));
  clock.after(12, cancel);
  await clock.advance(40);
  expect(fired).toEqual([10, 20, 30, 40]);
  cancel();
});

test("delays of months pass at once", async () => {
  const clock = manualClock();
  let isDone = false;
  clock.after(2 ** 33, () => {
    isDone = true;
  });
  await clock.advance(2 ** 33 - 1);
  expect(isDone).toBe(false);
  await clock.advance(1);
  expect(isDone).toBe(true);
});

test("a step of the wall clock moves no timer and no duration", async () => {
  const clock = manualClock({ startMs: 10_000_000 });
  let firedAtMs = 0;
  clock.after(100, () => {
    firedAtMs = clock.monotonicMs();
  });
  clock.stepWallClock(-3_600_000);
  expect(clock.nowMs()).toBe(6_400_000);
  await clock.advance(100);
  expect([firedAtMs, clock.nowMs()]).toEqual([100, 6_400_100]);
});

test("advances that overlap follow one another", async () => {
  const clock = manualClock();
  const seen: number[] = [];
  clock.after(5, () => seen.push(clock.monotonicMs()));
  clock.after(15, () => seen.push(clock.monotonicMs()));
  await Promise.all([clock.advance(10), clock.advance(10)]);
  expect([seen, clock.monotonicMs()]).toEqual([[5, 15], 20]);
});

test("what a timer throws comes out of advance, and time can go on", async () => {
  const clock = manualClock();
  clock.after(1, () => {
    throw new Error("broken timer");
  });
  await expect(clock.advance(10)).rejects.toThrow("broken timer");
  await clock.advance(10);
  expect(clock.timers).toBe(0);
});

test("time does not go back, and timers that set each other off at once do not hang the test", async () => {
  const clock = manualClock();
  expect(() => clock.advance(-1)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
  expect(() => clock.advance(Number.NaN)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
});
