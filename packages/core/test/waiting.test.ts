import { expect, test, vi } from "vitest";
import { asError, deferred, endsWithin, sleep, unlessAborted, withDeadline } from "../src/waiting.ts";
import { ManualClock, quiet } from "./manual-clock.ts";

const never = (): Promise<never> => new Promise(() => undefined);

test("sleep ends with its time or its signal, and leaves nothing behind", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const remove = vi.spyOn(controller.signal, "removeEventListener");
  let isAwake = false;
  void sleep(clock, 100, controller.signal).then(() => {
    isAwake = true;
  });
  await clock.advance(99);
  expect(isAwake).toBe(false);
  await clock.advance(1);
  expect([isAwake, remove.mock.calls.length]).toEqual([true, 1]);
  const cut = sleep(clock, 100, controller.signal);
  controller.abort();
  await cut;
  await sleep(clock, 100, controller.signal);
  expect(clock.timers).toBe(0);
});

test("withDeadline gives what came in time, and cuts what did not", async () => {
  const clock = new ManualClock();
  expect(await withDeadline(clock, 100, "It", async () => 7)).toBe(7);
  await expect(withDeadline(clock, 100, "It", () => Promise.reject(new Error("mine")))).rejects.toThrow("mine");
  await expect(
    withDeadline(clock, 100, "It", () => {
      throw new Error("at once");
    }),
  ).rejects.toThrow("at once");
  let seen: AbortSignal | undefined;
  const late = expect(
    withDeadline(clock, 100, "It", (signal) => {
      seen = signal;
      return never();
    }),
  ).rejects.toMatchObject({ code: "TIMEOUT", message: "It took longer than 100 ms." });
  await clock.advance(100);
  await late;
  expect([seen?.aborted, clock.timers]).toEqual([true, 0]);
});

test("withDeadline ends with the outer signal, also one that has aborted, and takes its listener back", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const remove = vi.spyOn(controller.signal, "removeEventListener");
  const cut = expect(withDeadline(clock, 100, "It", never, controller.signal)).rejects.toMatchObject({ code: "ABORTED" });
  controller.abort();
  await cut;
  expect(remove).toHaveBeenCalledTimes(1);
  await expect(withDeadline(clock, 100, "It", never, controller.signal)).rejects.toMatchObject({ code: "ABORTED" });
  expect(clock.timers).toBe(0);
});

test("a rejection that comes after the deadline is nobody's surprise", async () => {
  const clock = new ManualClock();
  let fail: (error: Error) => void = () => undefined;
  const late = withDeadline(clock, 100, "It", () => new Promise((_, reject) => (fail = reject))).catch(() => undefined);
  await clock.advance(100);
  await late;
  fail(new Error("late"));
  await quiet();
});

test("endsWithin tells whether a promise settled in time, well or not", async () => {
  const clock = new ManualClock();
  expect(await endsWithin(clock, 100, Promise.resolve())).toBe(true);
  expect(await endsWithin(clock, 100, Promise.reject(new Error("no")))).toBe(true);
  const late = endsWithin(clock, 100, never());
  await clock.advance(100);
  expect(await late).toBe(false);
  expect(clock.timers).toBe(0);
});

test("anything thrown becomes an error that says what it was", () => {
  const error = new Error("x");
  expect(asError(error)).toBe(error);
  expect(asError("text").message).toBe("text");
  for (const odd of [undefined, null, 7, Symbol("s"), Object.create(null)]) expect(asError(odd)).toMatchObject({ cause: odd });
});

test("gives up on work as soon as its signal aborts, and leaves no listener and no unhandled rejection behind", async () => {
  const controller = new AbortController();
  const work = deferred<string>();
  const waiting = unlessAborted(controller.signal, () => new Error("given up"), work.promise);
  controller.abort();
  await expect(waiting).rejects.toThrow("given up");
  work.reject(new Error("nobody waits any more"));
  await expect(unlessAborted(controller.signal, () => new Error("before it began"), never())).rejects.toThrow("before it began");
  expect(await unlessAborted(new AbortController().signal, () => new Error("never"), Promise.resolve(2))).toBe(2);
});
