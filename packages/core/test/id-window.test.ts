import { expect, test } from "vitest";
import { IdWindow } from "../src/id-window.ts";
import { ManualClock } from "./manual-clock.ts";

test("an id is known for its window, whenever it came, and forgotten after two", async () => {
  for (let offsetMs = 0; offsetMs < 1_000; offsetMs += 100) {
    const clock = new ManualClock();
    const window = new IdWindow(clock, { windowMs: 1_000, idsMax: 100 });
    await clock.advance(offsetMs);
    window.add("a");
    await clock.advance(999);
    expect(window.has("a")).toBe(true);
    await clock.advance(1_001);
    window.has("other");
    await clock.advance(1_000);
    expect(window.has("a")).toBe(false);
  }
});

test("after a long silence nothing is known", async () => {
  const clock = new ManualClock();
  const window = new IdWindow(clock, { windowMs: 1_000, idsMax: 100 });
  window.add("a");
  await clock.advance(2_000);
  expect(window.has("a")).toBe(false);
});

test("an id outlives at least idsMax others, and not many more", () => {
  const window = new IdWindow(new ManualClock(), { windowMs: 1_000, idsMax: 10 });
  window.add("a");
  for (let index = 0; index < 10; index++) window.add(`m${index}`);
  expect(window.has("a")).toBe(true);
  for (let index = 10; index < 30; index++) window.add(`m${index}`);
  expect(window.has("a")).toBe(false);
  expect(window.has("m29")).toBe(true);
});
