import { expect, test } from "vitest";
import { Emitter } from "../src/emitter.ts";

interface Events {
  tick: number;
  error: Error;
}

/** An emitter, and what was reported to it. */
function recorded(): { emitter: Emitter<Events>; reports: unknown[] } {
  const reports: unknown[] = [];
  return { emitter: new Emitter<Events>((error, event) => reports.push([event, error])), reports };
}

test("listeners get the value in the order they came", () => {
  const { emitter } = recorded();
  const heard: string[] = [];
  emitter.on("tick", (value) => heard.push(`a${value}`));
  emitter.on("tick", (value) => heard.push(`b${value}`));
  emitter.emit("tick", 1);
  expect(heard).toEqual(["a1", "b1"]);
});

test("an event without listeners is nothing special, also one named error", () => {
  const { emitter, reports } = recorded();
  emitter.emit("error", new Error("nobody listens"));
  expect(reports).toEqual([]);
});

test("a listener that throws or rejects is reported and disturbs neither the caller nor the others", async () => {
  const { emitter, reports } = recorded();
  const heard: number[] = [];
  emitter.on("tick", () => {
    throw "thrown";
  });
  emitter.on("tick", async () => {
    throw "rejected";
  });
  emitter.on("tick", (value) => heard.push(value));
  emitter.emit("tick", 1);
  expect(heard).toEqual([1]);
  await Promise.resolve();
  expect(reports).toEqual([
    ["tick", "thrown"],
    ["tick", "rejected"],
  ]);
});

test("removing a listener is exact and repeatable, also for one that listens twice", () => {
  const { emitter } = recorded();
  let calls = 0;
  const listener = (): void => {
    calls++;
  };
  const off = emitter.on("tick", listener);
  emitter.on("tick", listener);
  off();
  off();
  expect(emitter.listenerCount("tick")).toBe(1);
  emitter.emit("tick", 1);
  expect(calls).toBe(1);
});

test("listeners added or removed during an event count from the next one on", () => {
  const { emitter } = recorded();
  const heard: string[] = [];
  const off = emitter.on("tick", () => {
    heard.push("first");
    off();
    emitter.on("tick", () => heard.push("late"));
  });
  emitter.on("tick", () => heard.push("second"));
  emitter.emit("tick", 1);
  expect(heard).toEqual(["first", "second"]);
  emitter.emit("tick", 2);
  expect(heard).toEqual(["first", "second", "second", "late"]);
});

test("it knows who listens", () => {
  const { emitter } = recorded();
  expect(emitter.hasListeners("tick")).toBe(false);
  const off = emitter.on("tick", () => {});
  emitter.on("error", () => {});
  expect([emitter.hasListeners("tick"), emitter.listenerCount("tick"), emitter.listenerCount()]).toEqual([true, 1, 2]);
  off();
  expect(emitter.hasListeners("tick")).toBe(false);
  emitter.removeAll();
  expect(emitter.listenerCount()).toBe(0);
});
