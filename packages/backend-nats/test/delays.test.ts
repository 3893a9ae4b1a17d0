import { describe, expect, it } from "vitest";
import { classDelayMs, delayClassMax, delayClassOf, delayLateness, lookAtMs } from "../src/delays.ts";

describe("classes of delays", () => {
  it("hold every delay up to their bound, each in the narrowest", () => {
    for (let delayMs = 1; delayMs < 3e7; delayMs = Math.ceil(delayMs * 1.01)) {
      const delayClass = delayClassOf(delayMs);
      if (delayClass < delayClassMax) expect(delayMs, `class ${delayClass}`).toBeLessThanOrEqual(classDelayMs(delayClass));
      if (delayClass > 0) expect(delayMs, `class ${delayClass}`).toBeGreaterThan(classDelayMs(delayClass - 1));
    }
  });

  it("are never later than the capabilities state: a head of the same class waits no longer than that", () => {
    for (let delayMs = 1; delayMs < classDelayMs(delayClassMax); delayMs = Math.ceil(delayMs * 1.01)) {
      const headMs = classDelayMs(delayClassOf(delayMs));
      expect(headMs - delayMs).toBeLessThanOrEqual(Math.max(delayLateness.floorMs, delayMs * delayLateness.ratio) + 1);
    }
  });

  it("are few, and let longer delays pass through the last one several times", () => {
    expect(delayClassOf(30 * 86_400_000)).toBe(delayClassMax);
    expect(lookAtMs(delayClassMax, 1_000, 1_000 + 30 * 86_400_000)).toBe(1_000 + classDelayMs(delayClassMax));
    expect(lookAtMs(0, 1_000, 1_200)).toBe(1_200);
  });
});
