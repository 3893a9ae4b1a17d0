import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { classesMax, delayClasses, lateness, passFor } from "../src/delay-classes.ts";

/** Every delay of interest: around each class, and spread over what lies between. */
const delays: readonly number[] = [
  1,
  2,
  49,
  50,
  51,
  ...delayClasses.flatMap((classMs) => [classMs - 1, classMs - 0.5, classMs, classMs + 0.5, classMs + 1, Math.round(classMs * 1.07)]),
];

describe("delay classes", () => {
  it("are at most 64, ascending and whole", () => {
    assert.equal(delayClasses.length, classesMax);
    assert.ok(delayClasses.every((classMs, index) => Number.isInteger(classMs) && classMs > (delayClasses[index - 1] ?? 0)));
  });

  it("are never shorter than the delay, all passes together", () => {
    for (const delayMs of [...delays, 3_600_000, 86_400_000]) {
      let waitedMs = 0;
      for (let restMs = delayMs; restMs > 0; ) {
        const pass = passFor(restMs);
        assert.ok(delayClasses.includes(pass.classMs));
        waitedMs += pass.classMs;
        restMs = pass.restMs;
      }
      assert.ok(waitedMs >= delayMs, `${delayMs} ms wait only ${waitedMs}`);
    }
  });

  it("leave the broker a part of the stated lateness for its own work", () => {
    for (const delayMs of delays.filter((one) => one <= (delayClasses.at(-1) ?? 0))) {
      const { classMs, restMs } = passFor(delayMs);
      assert.equal(restMs, 0);
      const allowedMs = Math.max(lateness.floorMs, delayMs * lateness.ratio);
      assert.ok(classMs - delayMs <= allowedMs * 0.8, `${delayMs} ms become ${classMs}`);
    }
  });

  it("are passed several times by what is longer than the last of them, on time", () => {
    const lastMs = delayClasses.at(-1) ?? 0;
    for (const delayMs of [lastMs + 1, lastMs * 2, 86_400_000, 30 * 86_400_000]) {
      let waitedMs = 0;
      let passes = 0;
      for (let restMs = delayMs; restMs > 0; passes++) {
        const pass = passFor(restMs);
        waitedMs += pass.classMs;
        restMs = pass.restMs;
      }
      assert.equal(passes, Math.ceil(delayMs / lastMs));
      assert.ok(waitedMs >= delayMs && waitedMs <= delayMs * (1 + lateness.ratio) + lateness.floorMs);
    }
  });
});
